// Package host runs the built plugin with Grafana's own code: go-plugin, and the client side of its
// plugin SDK.
//
// The binary is $RINGSIDE_BINARY, or target/debug/gpx_oura. It also contains the simulated Oura.
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
		fmt.Fprintf(os.Stderr, "no binary to test: %v\n", err)
		fmt.Fprintln(os.Stderr, "Build it with cargo build, or set RINGSIDE_BINARY.")
		os.Exit(1)
	}
	code := m.Run()
	shared.close()
	if leaked := leakedSecrets(); len(leaked) > 0 {
		fmt.Fprintf(os.Stderr, "a plugin wrote secrets: %v\n", leaked)
		code = 1
	}
	os.Exit(code)
}
