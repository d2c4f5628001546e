// Command lookout is a small service that needs a little of everything: certificates, time zones, users, a folder for
// temporary files.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

const addr = ":8080"

func main() {
	backend := flag.String("backend", "https://backend:8443/", "what /backend asks")
	check := flag.Bool("check", false, "ask the running service whether it is well, and exit with 0 or 1")
	once := flag.String("fetch", "", "ask this address once, print what it answers, and exit")
	flag.Parse()

	if *once != "" {
		text, err := fetch(*once)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(text)
		return
	}
	if *check {
		if err := checkHealth("http://127.0.0.1" + addr + "/healthz"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := serve(addr, newHandler(*backend)); err != nil {
		log.Fatal(err)
	}
}

// newHandler returns the routes of the service.
func newHandler(backend string) http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, make func(*http.Request) (string, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			text, err := make(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintln(w, text)
		})
	}
	answer("GET /healthz", func(*http.Request) (string, error) { return "ok", nil })
	answer("GET /time", func(r *http.Request) (string, error) { return timeIn(r.URL.Query().Get("zone")) })
	answer("GET /whoami", func(*http.Request) (string, error) { return userName() })
	answer("GET /report", func(*http.Request) (string, error) { return report() })
	answer("GET /backend", func(*http.Request) (string, error) { return fetch(backend) })
	return mux
}
