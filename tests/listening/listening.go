// Package listening starts servers for tests.
package listening

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
)

// Start starts a server that prints `listening on <address>` first. Returns the address. The caller
// ends the process, also after an error if it has started.
func Start(command *exec.Cmd) (string, error) {
	output, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s prints no address: %w", command.Path, err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), nil
}
