// Command greeter is a small HTTP service that greets people.
package main

import (
	"fmt"
	"log"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	addr = ":8080"

	// maxNameLength is the longest name that is greeted, in characters.
	maxNameLength = 64
)

func main() {
	if err := serve(addr, newHandler()); err != nil {
		log.Fatal(err)
	}
}

// newHandler returns the routes of the service.
func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, "Hello from Ballast")
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /greet", func(w http.ResponseWriter, r *http.Request) {
		greeting, err := greet(r.URL.Query().Get("name"))
		if err != nil {
			reply(w, http.StatusBadRequest, err.Error())
			return
		}
		reply(w, http.StatusOK, greeting)
	})
	return mux
}

// greet returns the greeting for name. Without a name it greets the world.
func greet(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		name = "world"
	}
	if utf8.RuneCountInString(name) > maxNameLength {
		return "", fmt.Errorf("a name has at most %d characters", maxNameLength)
	}
	return fmt.Sprintf("Hello, %s!", name), nil
}

func reply(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}
