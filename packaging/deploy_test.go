package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func deployed(t *testing.T, name ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{".."}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// check runs a linter that not every machine has.
func check(t *testing.T, command string, arguments ...string) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		t.Skipf("%s is not installed", command)
	}
	if output, err := exec.Command(command, arguments...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command, err, output)
	}
}

func TestContainerFilePassesItsLinter(t *testing.T) {
	check(t, "hadolint", filepath.Join("..", "deploy", "Dockerfile"))
}

func TestComposeFileIsValid(t *testing.T) {
	if err := exec.Command("docker", "compose", "version").Run(); err != nil {
		t.Skip("docker compose is not installed")
	}
	check(t, "docker", "compose", "--file", filepath.Join("..", "docker-compose.yaml"), "config")
}

// The unit with a program that exists, because systemd looks for it.
func TestServiceIsValidAndConfined(t *testing.T) {
	unit := filepath.Join(t.TempDir(), "gpx_oura.service")
	content := strings.ReplaceAll(deployed(t, "deploy", "systemd", "gpx_oura.service"),
		"/usr/local/bin/gpx_oura", "/bin/true")
	if err := os.WriteFile(unit, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, "systemd-analyze", "verify", "--man=no", unit)
	// The exposure goes from 0 to 10. Unconfined services have more than 9.
	check(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
}

func TestFilesAgreeOnNamesAndVersions(t *testing.T) {
	compose := deployed(t, "docker-compose.yaml")
	for _, name := range regexp.MustCompile(`\./(\S+?):/|dockerfile: (\S+)`).FindAllStringSubmatch(compose, -1) {
		deployed(t, filepath.FromSlash(name[1]+name[2]))
	}
	version := regexp.MustCompile(`"version": "([^"]+)"`).
		FindStringSubmatch(deployed(t, "frontend", "package.json"))[1]
	// Grafana reads its setting preinstall_sync as id@version@address.
	release := "ringside-oura-datasource@" + version + "@" + Repository + "/releases/download/v" +
		version + "/ringside-oura-datasource-" + version + ".zip"
	for _, path := range []string{
		"deploy/helm/values.yaml", "deploy/kubernetes/grafana-values.yaml", "docs/install.md",
	} {
		if !strings.Contains(deployed(t, filepath.FromSlash(path)), release) {
			t.Errorf("%s does not install %s", path, release)
		}
	}
	for _, variable := range []string{"OURA_CLIENT_ID", "RINGSIDE_READ_TOKEN", "RINGSIDE_ADMIN_TOKEN"} {
		if !strings.Contains(deployed(t, "deploy", "systemd", "gpx_oura.env"), variable+"=\n") {
			t.Errorf("gpx_oura.env lacks %s, or has a value", variable)
		}
	}
}
