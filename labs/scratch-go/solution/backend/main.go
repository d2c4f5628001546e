// Command backend answers over TLS.
package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "the backend greets you")
	})
	log.Fatal(http.ListenAndServeTLS(":8443", "/etc/backend/server.crt", "/etc/backend/server.key", nil))
}
