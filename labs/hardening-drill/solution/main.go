// Command kiosk shows pages, takes new ones, and converts text.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	addr    = ":8080"
	maxBody = 16 << 20
)

func main() {
	pages := flag.String("pages", "/pages", "folder with the pages")
	check := flag.Bool("check", false, "ask the running service whether it is well, and exit with 0 or 1")
	flag.Parse()

	if *check {
		if err := checkHealth("http://127.0.0.1" + addr + "/healthz"); err != nil {
			log.Fatal(err)
		}
		return
	}
	// Nothing that is opened through it leads out of the folder, whatever the name and whatever the links.
	root, err := os.OpenRoot(*pages)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(addr, newHandler(root)); err != nil {
		log.Fatal(err)
	}
}

// newHandler returns the routes of the service.
func newHandler(pages *os.Root) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		file, err := pages.Open(r.URL.Query().Get("name"))
		if err != nil {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		defer file.Close()
		io.Copy(w, file)
	})
	mux.HandleFunc("POST /page", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		file, err := pages.OpenFile(r.URL.Query().Get("name"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			http.Error(w, "could not be written", http.StatusForbidden)
			return
		}
		defer file.Close()
		if _, err := file.Write(body); err != nil {
			http.Error(w, "could not be written", http.StatusInsufficientStorage)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /convert", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, strings.ToUpper(r.URL.Query().Get("text")))
	})
	return mux
}

// checkHealth asks the service at url, as a client would.
func checkHealth(url string) error {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}
