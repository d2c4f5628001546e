// Command beacon tells the addresses of host names over HTTP.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os/exec"
)

const addr = ":8080"

func main() {
	log.Printf("listening on %s", addr)
	log.Fatal(http.ListenAndServe(addr, newHandler()))
}

// newHandler returns the routes of the service.
func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Ask me with /lookup?host=localhost")
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /lookup", func(w http.ResponseWriter, r *http.Request) {
		// HOLE: what a stranger sends becomes part of a shell line. It is here on purpose; leave it for this lesson.
		out, err := exec.Command("sh", "-c", "getent hosts "+r.URL.Query().Get("host")).CombinedOutput()
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write(out)
	})
	return mux
}
