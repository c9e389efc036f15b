// Package bundle checks dist/, the folder that Grafana loads, as the bundler writes it.
// `go tool mage test` builds it first.
package bundle

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ringside/packaging"
)

var dist = filepath.Join("..", "..", "dist")

// manifest is the part of plugin.json with files and versions.
type manifest struct {
	ID   string
	Info struct {
		Version, Updated string
		Logos            struct{ Small, Large string }
		Screenshots      []struct{ Path string }
		Links            []struct{ Name, URL string }
	}
	Includes []struct{ Type, Path string }
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dist, filepath.FromSlash(name)))
	if err != nil {
		t.Fatalf("%v\nBuild it with go tool mage build.", err)
	}
	if len(content) == 0 {
		t.Errorf("%s is empty", name)
	}
	return content
}

func theManifest(t *testing.T) (plugin manifest) {
	t.Helper()
	if err := json.Unmarshal(read(t, "plugin.json"), &plugin); err != nil {
		t.Fatalf("plugin.json: %v", err)
	}
	return plugin
}

func TestManifestHasVersionAndDate(t *testing.T) {
	if left := regexp.MustCompile(`%[A-Z]+%`).FindAll(read(t, "plugin.json"), -1); left != nil {
		t.Errorf("placeholders left: %q", left)
	}
	plugin := theManifest(t)
	if !regexp.MustCompile(`^\d+\.\d+\.\d+`).MatchString(plugin.Info.Version) {
		t.Errorf("version %q", plugin.Info.Version)
	}
	if !regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`).MatchString(plugin.Info.Updated) {
		t.Errorf("updated %q", plugin.Info.Updated)
	}
}

func TestNamedFilesExist(t *testing.T) {
	plugin := theManifest(t)
	read(t, "module.js")
	read(t, plugin.Info.Logos.Small)
	read(t, plugin.Info.Logos.Large)
	if len(plugin.Info.Screenshots) < 2 || len(plugin.Info.Links) < 3 {
		t.Errorf("screenshots %v, links %v", plugin.Info.Screenshots, plugin.Info.Links)
	}
	for _, screenshot := range plugin.Info.Screenshots {
		read(t, screenshot.Path)
	}
	for _, link := range plugin.Info.Links {
		if !strings.HasPrefix(link.URL, packaging.Repository) {
			t.Errorf("link to another address: %s", link.URL)
		}
	}
	for _, schema := range []string{"schema/dsconfig.json", "schema/v0alpha1.json"} {
		if !json.Valid(read(t, schema)) {
			t.Errorf("%s is not JSON", schema)
		}
	}
	for _, name := range []string{"docs/reference.md", "LICENSE", "CHANGELOG.md", "README.md",
		"skills/querying-" + plugin.ID + "/SKILL.md", "alerting/oura.yaml"} {
		read(t, name)
	}
	for _, included := range plugin.Includes {
		if !json.Valid(read(t, included.Path)) {
			t.Errorf("%s is not JSON", included.Path)
		}
	}
}

func TestProvisionedDashboardsAreIncluded(t *testing.T) {
	dashboards, err := filepath.Glob(filepath.Join("..", "..", "provisioning", "dashboards", "*.json"))
	if err != nil || len(dashboards) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	included := map[string]bool{}
	for _, entry := range theManifest(t).Includes {
		included[entry.Path] = entry.Type == "dashboard"
	}
	for _, dashboard := range dashboards {
		if name := "dashboards/" + filepath.Base(dashboard); !included[name] {
			t.Errorf("missing in plugin.json: %s", name)
		}
	}
}

// Each page with a data source loads module.js. The formatter is in a file of its own.
func TestModuleIsSmall(t *testing.T) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(read(t, "module.js")); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("module.js has %d bytes after gzip", packed.Len())
	if packed.Len() > 60_000 {
		t.Errorf("module.js has %d bytes after gzip, more than 60,000", packed.Len())
	}
	if bytes.Contains(read(t, "module.js"), []byte("tokenizerOptions")) {
		t.Error("module.js contains the formatter of SQL")
	}
}

func TestPicturesAreSmall(t *testing.T) {
	pictures, err := filepath.Glob(filepath.Join("..", "..", "docs", "img", "*.png"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	for _, picture := range pictures {
		if file, err := os.Stat(picture); err != nil || file.Size() > 300_000 {
			t.Errorf("%s has more than 300 kB: %v", picture, err)
		}
	}
}
