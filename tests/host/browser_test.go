package host

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// browserVariable turns the browser tests on: `go tool mage browser` sets it and builds dist/ and
// the host page first.
const browserVariable = "RINGSIDE_BROWSER"

// journeyFolder has the bundled journeys of frontend/browser.
const journeyFolder = "node_modules/.cache/browser"

// chromiums are the programs that the browser tests look for.
var chromiums = []string{"chromium", "chromium-browser", "google-chrome"}

// TestBrowser runs the journeys of frontend/browser in headless Chromium.
func TestBrowser(t *testing.T) {
	if os.Getenv(browserVariable) == "" {
		t.Skip("skipped: run it with `go tool mage browser`")
	}
	chromium := os.Getenv("CHROMIUM")
	for _, name := range chromiums {
		if found, err := exec.LookPath(name); chromium == "" && err == nil {
			chromium = found
		}
	}
	if chromium == "" {
		t.Skipf("skipped: found no Chromium as any of %v; install Debian's package chromium", chromiums)
	}
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}

	simulator, origin, err := simulateWith([]string{"--days", "40"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = simulator.Process.Kill(); _ = simulator.Wait() })
	plugin := launch(t, t.TempDir(), origin)
	serve, _ := serveFolder(t, t.TempDir(), "GF_PLUGIN_OURA_URL="+origin,
		"OURA_CLIENT_ID="+clientID, "OURA_CLIENT_SECRET="+clientSecret)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: newFront(plugin, top).handler()}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	_, port, _ := net.SplitHostPort(listener.Addr().String())
	arguments := []string{"--test", "--test-concurrency=2", "--test-reporter=spec"}
	if only := os.Getenv("ONLY"); only != "" {
		arguments = append(arguments, "--test-name-pattern="+only)
	}
	built, err := filepath.Glob(filepath.Join(top, "frontend", journeyFolder, "*.mjs"))
	if err != nil || len(built) == 0 {
		t.Fatal("no journeys: run `npm --prefix frontend run build:browser`", err)
	}
	arguments = append(arguments, built...)
	journeys := exec.Command("node", arguments...)
	journeys.Dir = filepath.Join(top, "frontend")
	journeys.Env = append(os.Environ(),
		"HOST_PORT="+port,
		"CHROMIUM="+chromium,
		// Oura redirects to localhost, but to no address.
		"SERVE_URL="+strings.Replace(serve, "127.0.0.1", "localhost", 1),
		"SERVE_ADMIN_TOKEN="+httpAdminToken,
		"OURA_CLIENT_ID="+clientID,
		"OURA_CLIENT_SECRET="+clientSecret,
		"SCREENSHOTS="+filepath.Join(top, "target", "browser", "screenshots"),
	)
	journeys.Stdout, journeys.Stderr = os.Stdout, os.Stderr
	if err := journeys.Run(); err != nil {
		t.Error(err)
	}
}
