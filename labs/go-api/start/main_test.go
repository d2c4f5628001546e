package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDeepEnough(t *testing.T) {
	found := deepEnough(6)
	if len(found) != 3 || found[0].Place != "entrance" || found[2].Place != "berth-2" {
		t.Errorf("deepEnough(6) = %v", found)
	}
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		target string
		status int
		body   string
	}{
		{target: "/healthz", status: http.StatusOK, body: "ok"},
		{target: "/soundings?metres=10", status: http.StatusOK, body: `[{"place":"entrance","metres":14.2}]`},
		{target: "/soundings?metres=deep", status: http.StatusBadRequest, body: "metres must be a number"},
		{target: "/soundings/slipway", status: http.StatusOK, body: `{"place":"slipway","metres":2.4}`},
		{target: "/soundings/atlantis", status: http.StatusNotFound, body: "nobody has measured there"},
		{target: "/metrics", status: http.StatusOK, body: "depths_asked_total 4"},
	}
	handler := newHandler()
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, tt.target, nil))
			if recorder.Code != tt.status {
				t.Errorf("status = %d, want %d", recorder.Code, tt.status)
			}
			if got := recorder.Body.String(); !strings.Contains(got, tt.body) {
				t.Errorf("body = %q, want %q in it", got, tt.body)
			}
		})
	}
}
