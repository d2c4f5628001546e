// The attacker's tool: it lists what the service's process could tell a stranger.
package main

import (
	"fmt"
	"os"
)

func main() {
	host, _ := os.Hostname()
	fmt.Printf("compiled here, running on %s as user %d\n", host, os.Getuid())
}
