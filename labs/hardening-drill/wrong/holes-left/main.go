// Command kiosk shows pages, takes new ones, and converts text. It has holes, on purpose.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	if err := serve(addr, newHandler(*pages)); err != nil {
		log.Fatal(err)
	}
}

// newHandler returns the routes of the service.
func newHandler(pages string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		// Hole: "../../etc/passwd" is a name, too.
		text, err := os.ReadFile(filepath.Join(pages, r.URL.Query().Get("name")))
		if err != nil {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		w.Write(text)
	})
	mux.HandleFunc("POST /page", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		// Hole: writes wherever the name leads, and what it writes may be run.
		if err := os.WriteFile(filepath.Join(pages, r.URL.Query().Get("name")), body, 0o755); err != nil {
			http.Error(w, "could not be written", http.StatusForbidden)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /convert", func(w http.ResponseWriter, r *http.Request) {
		// Hole: whoever asks chooses the program.
		with := strings.Fields(r.URL.Query().Get("with"))
		if len(with) == 0 {
			with = []string{"tr", "a-z", "A-Z"}
		}
		command := exec.CommandContext(r.Context(), with[0], with[1:]...)
		command.Stdin = strings.NewReader(r.URL.Query().Get("text"))
		output, err := command.CombinedOutput()
		if err != nil {
			http.Error(w, fmt.Sprintf("%s%v", output, err), http.StatusInternalServerError)
			return
		}
		w.Write(output)
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
