// Command visits counts its visitors and keeps the number in a file.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
)

func main() {
	greeting := flag.String("greeting", "Hello", "what visitors are greeted with")
	file := flag.String("file", "/data/count", "where the number of visitors is kept")
	flag.Parse()

	if err := serve(":8080", newHandler(*greeting, newCounter(*file))); err != nil {
		log.Fatal(err)
	}
}

// newHandler returns the routes of the service.
func newHandler(greeting string, visitors *counter) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /visit", func(w http.ResponseWriter, _ *http.Request) {
		number, err := visitors.next()
		if err != nil {
			log.Print(err)
			http.Error(w, "the count could not be kept", http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s, visitor %d\n", greeting, number)
	})
	return mux
}
