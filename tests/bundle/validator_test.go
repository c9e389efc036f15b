package bundle

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ringside/packaging"
)

// refusals are the findings of Grafana's validator that this plugin accepts, with the reason.
var refusals = map[string]string{
	"backend-binary-not-linux-amd64": "it reads the platform from Go's build information",
	"no-sdk-found":                   "it looks for the plugin SDK for Go",
	"unsigned-plugin":                "releases are signed when a token is there",
	"broken-link":                    "it asks the network, and a version that is not released has no page",
	"sponsorshiplink":                "there is no sponsor",
}

// TestPackagePassesGrafanasValidator runs plugincheck2 on the package if it is installed. Its Go
// module is not on the module proxy with all its dependencies, so it cannot be a dependency here.
func TestPackagePassesGrafanasValidator(t *testing.T) {
	validator, err := exec.LookPath("plugincheck2")
	if err != nil {
		t.Skip("Grafana's plugin validator is not installed: " +
			"github.com/grafana/plugin-validator/pkg/cmd/plugincheck2")
	}
	plugin := theManifest(t)
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(dist)); err != nil {
		t.Fatal(err)
	}
	readme := packaging.AbsoluteLinks(string(read(t, "README.md")), plugin.Info.Version)
	for name, content := range map[string]string{"README.md": readme, "gpx_oura_linux_amd64": "x"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(t.TempDir(), plugin.ID+".zip")
	if err := packaging.Archive(archive, folder, plugin.ID, "gpx_oura"); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	settings := "global:\n  enabled: true\n  jsonOutput: true\n"
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	// It fails when it refuses a package, and its findings are below.
	output, _ := exec.Command(validator, "-config", config, archive).Output()
	var report struct {
		ID              string
		PluginValidator map[string][]struct{ Severity, Title, Detail, Name string } `json:"plugin-validator"`
	}
	if err := json.Unmarshal(output, &report); err != nil || report.ID != plugin.ID {
		t.Fatalf("unreadable report (%v): %s", err, output)
	}
	for analyzer, findings := range report.PluginValidator {
		for _, finding := range findings {
			reason, accepted := refusals[finding.Name]
			if !accepted && !strings.EqualFold(finding.Severity, "ok") {
				t.Errorf("%s: %+v", analyzer, finding)
			}
			t.Logf("%s: %s (%s)", analyzer, finding.Title, reason)
		}
	}
}
