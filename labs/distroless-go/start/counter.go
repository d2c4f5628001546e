package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
)

// counter keeps a number in a file, so that it outlives the program.
type counter struct {
	mutex sync.Mutex
	file  string
}

func newCounter(file string) *counter {
	return &counter{file: file}
}

// next adds one to the number in the file and returns it. A file that is not there counts as 0.
func (c *counter) next() (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	text, err := os.ReadFile(c.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	number := 0
	if len(text) > 0 {
		if number, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return 0, fmt.Errorf("%s holds no number: %w", c.file, err)
		}
	}
	number++
	return number, os.WriteFile(c.file, []byte(strconv.Itoa(number)+"\n"), 0o600)
}
