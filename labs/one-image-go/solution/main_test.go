package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRoutes(t *testing.T) {
	for target, want := range map[string]int{
		"/":        http.StatusOK,
		"/healthz": http.StatusOK,
		"/nowhere": http.StatusNotFound,
	} {
		recorder := httptest.NewRecorder()
		newHandler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target, nil))
		if recorder.Code != want {
			t.Errorf("%s: status = %d, want %d", target, recorder.Code, want)
		}
	}
}
