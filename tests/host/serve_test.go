package host

import (
	"os"
	"os/exec"
	"testing"

	"ringside/tests/listening"
)

// Tokens of servers that a test starts.
const (
	httpToken      = "read-token-of-the-host-tests"
	httpAdminToken = "admin-token-of-the-host-tests"
)

// run ends the test if a command fails, and returns its output.
func run(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return string(output)
}

// serveFolder starts `serve` on a data folder, until the end of the test, with further variables of
// the environment. Returns its address and process.
func serveFolder(t *testing.T, folder string, variables ...string) (string, *os.Process) {
	t.Helper()
	command := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--log-level", "error",
		"--max-requests", "1000000", "--data-dir", folder)
	command.Env = append(os.Environ(), "RINGSIDE_READ_TOKEN="+httpToken,
		"RINGSIDE_ADMIN_TOKEN="+httpAdminToken, "GF_PLUGIN_OURA_URL="+unreachable)
	// The last value of a variable counts.
	command.Env = append(command.Env, variables...)
	t.Cleanup(func() {
		if command.Process != nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	address, err := listening.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	return address, command.Process
}
