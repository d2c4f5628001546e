package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGreet(t *testing.T) {
	tests := []struct {
		name    string
		input   string
		want    string
		wantErr bool
	}{
		{name: "somebody", input: "Ada", want: "Hello, Ada!"},
		{name: "nobody", input: "", want: "Hello, world!"},
		{name: "white space", input: "  Grace ", want: "Hello, Grace!"},
		{name: "longest name", input: strings.Repeat("é", maxNameLength), want: "Hello, " + strings.Repeat("é", maxNameLength) + "!"},
		{name: "too long a name", input: strings.Repeat("a", maxNameLength+1), wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := greet(tt.input)
			if (err != nil) != tt.wantErr {
				t.Fatalf("greet(%q) error = %v, want error: %t", tt.input, err, tt.wantErr)
			}
			if got != tt.want {
				t.Errorf("greet(%q) = %q, want %q", tt.input, got, tt.want)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		target string
		status int
		body   string
	}{
		{target: "/", status: http.StatusOK, body: "Hello from Ballast\n"},
		{target: "/healthz", status: http.StatusOK, body: "ok\n"},
		{target: "/greet?name=Ada", status: http.StatusOK, body: "Hello, Ada!\n"},
		{target: "/nowhere", status: http.StatusNotFound, body: "404 page not found\n"},
	}
	handler := newHandler()
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, tt.target, nil))
			if recorder.Code != tt.status {
				t.Errorf("status = %d, want %d", recorder.Code, tt.status)
			}
			if got := recorder.Body.String(); got != tt.body {
				t.Errorf("body = %q, want %q", got, tt.body)
			}
		})
	}
}
