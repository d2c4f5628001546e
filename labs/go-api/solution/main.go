// Command depths answers how deep the water is, and counts who asks.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const addr = ":8080"

func main() {
	check := flag.Bool("check", false, "ask the running service whether it works, and end with 0 or 1")
	flag.Parse()
	if *check {
		os.Exit(ask("http://127.0.0.1" + addr + "/healthz"))
	}
	if err := serve(addr, newHandler()); err != nil {
		log.Fatal(err)
	}
}

// newHandler returns the routes of the service. Each has metrics of its own, so that tests can make several.
func newHandler() http.Handler {
	registry := prometheus.NewRegistry()
	asked := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "depths_asked_total",
		Help: "Questions for a depth.",
	})
	registry.MustRegister(asked)

	router := chi.NewRouter()
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	router.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	router.Get("/soundings", func(w http.ResponseWriter, r *http.Request) {
		asked.Inc()
		metres := 0.0
		if text := r.URL.Query().Get("metres"); text != "" {
			var err error
			if metres, err = strconv.ParseFloat(text, 64); err != nil {
				http.Error(w, "metres must be a number", http.StatusBadRequest)
				return
			}
		}
		reply(w, deepEnough(metres))
	})
	router.Get("/soundings/{place}", func(w http.ResponseWriter, r *http.Request) {
		asked.Inc()
		sounding, ok := at(chi.URLParam(r, "place"))
		if !ok {
			http.Error(w, "nobody has measured there", http.StatusNotFound)
			return
		}
		reply(w, sounding)
	})
	return router
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}

// ask returns 0 when the service answers as it should within two seconds, else 1.
func ask(url string) int {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
