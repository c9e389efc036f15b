// Package host calls the built plugin with the code Grafana itself uses: go-plugin, and the client side of its plugin SDK. What they
// cannot start, call, read or end is wrong in the plugin.
//
// The binary is $RINGSIDE_BINARY, or target/debug/gpx_oura. Behind it stands the simulator that the same binary contains.
package host

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	binary = os.Getenv("RINGSIDE_BINARY")
	if binary == "" {
		binary = filepath.Join("..", "..", "target", "debug", "gpx_oura")
	}
	if absolute, err := filepath.Abs(binary); err == nil {
		binary = absolute
	}
	if parentOfPlugin() {
		return
	}
	if _, err := os.Stat(binary); err != nil {
		fmt.Fprintf(os.Stderr, "there is no binary to test: %v\nBuild it with cargo build, or set RINGSIDE_BINARY.\n", err)
		os.Exit(1)
	}
	code := m.Run()
	shared.close()
	if told := tattled(); len(told) > 0 {
		fmt.Fprintf(os.Stderr, "a plugin wrote secrets: %v\n", told)
		code = 1
	}
	os.Exit(code)
}
