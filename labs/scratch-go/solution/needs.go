package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"time"
)

var client = &http.Client{Timeout: 3 * time.Second}

// timeIn tells the time in a zone such as "Asia/Tokyo". It needs the rules of that zone.
func timeIn(zone string) (string, error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return "", err
	}
	return time.Now().In(location).Format("15:04 MST in ") + zone, nil
}

// userName says whom the service runs as. It needs a list of users.
func userName() (string, error) {
	current, err := user.Current()
	if err != nil {
		return "", err
	}
	return current.Username, nil
}

// report writes a temporary file and reads it again. It needs a folder that can be written to.
func report() (string, error) {
	file, err := os.CreateTemp("", "report-")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	written, err := fmt.Fprintln(file, "all is well")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("a report of %d bytes", written), nil
}

// fetch returns what a server answers. Over HTTPS it needs certificates of authorities to trust.
func fetch(url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	return string(body), err
}

// checkHealth asks the service at url, as a client would.
func checkHealth(url string) error {
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
