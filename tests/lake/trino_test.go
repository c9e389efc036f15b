//go:build lake

package lake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTrino compares every table over S3, after the statements of `lake ddl`, and runs the statement of
// the document. RINGSIDE_TRINO is the folder of an unpacked Trino server, and JAVA_HOME a Java that it
// supports.
func TestTrino(t *testing.T) {
	home := os.Getenv("RINGSIDE_TRINO")
	if home == "" {
		t.Skip("SKIPPED: `go tool mage trinotest` fetches Trino and runs this test")
	}
	if version := javaVersion(t); version < 24 {
		t.Skipf("SKIPPED: Trino needs Java 24 or later, and this is %d. Set JAVA_HOME", version)
	}
	w := start(t)
	const place = "s3://bucket/ringside"
	folder := filepath.Join(t.TempDir(), "lake")
	for _, at := range []string{place, folder} {
		w.must(w.lake(at, "init"))
		w.must(w.lake(at, "publish"))
	}
	port := w.startTrino(home)

	w.runStatements([]string{"trino"}, place, folder, "--trino-port", strconv.Itoa(port))
	w.compare(place, "trino", w.databases, "--trino-port", strconv.Itoa(port))
}

// startTrino starts a server with the bucket as its catalogue `lake`. Returns its port.
func (w *world) startTrino(home string) int {
	w.t.Helper()
	folder := w.t.TempDir()
	port := freePort(w.t)
	catalogues := filepath.Join(folder, "catalog")
	// Only the connector of the lake. Each other one of the 60 needs time and memory.
	plugins := filepath.Join(folder, "plugin")
	for _, path := range []string{catalogues, plugins} {
		if err := os.Mkdir(path, 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	const connector = "delta-lake"
	err := os.Symlink(filepath.Join(home, "plugin", connector), filepath.Join(plugins, connector))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, lines := range map[string][]string{
		"config.properties": {
			"coordinator=true",
			"node-scheduler.include-coordinator=true",
			"node.internal-address=127.0.0.1",
			fmt.Sprintf("http-server.http.port=%d", port),
			fmt.Sprintf("discovery.uri=http://127.0.0.1:%d", port),
			"catalog.config-dir=" + catalogues,
			"plugin.dir=" + plugins,
		},
		"catalog/lake.properties": {
			"connector.name=delta_lake",
			"delta.register-table-procedure.enabled=true",
			"hive.metastore=file",
			"hive.metastore.catalog.dir=local:///metastore",
			"fs.native-local.enabled=true",
			"local.location=" + folder,
			"fs.native-s3.enabled=true",
			"s3.endpoint=" + w.endpoint,
			"s3.path-style-access=true",
			"s3.region=us-east-1",
			"s3.aws-access-key=owner",
			"s3.aws-secret-key=owner-secret",
		},
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.background(java(), "-Xmx2G", "-XX:+UseG1GC", "-Djdk.attach.allowAttachSelf=true",
		"--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
		"--sun-misc-unsafe-memory-access=allow", "-Dnode.environment=test", "-Dnode.id=one",
		"-Dnode.data-dir="+filepath.Join(folder, "data"),
		"-Dconfig="+filepath.Join(folder, "config.properties"),
		"-cp", filepath.Join(home, "lib", "*"), "io.trino.server.TrinoServer")
	w.waitFor(port)
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(time.Second) {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/v1/info", port))
		if err == nil {
			info := struct{ Starting bool }{Starting: true}
			_ = json.NewDecoder(response.Body).Decode(&info)
			_ = response.Body.Close()
			if !info.Starting {
				return port
			}
		}
		if time.Now().After(deadline) {
			w.t.Fatal("Trino does not finish its start")
		}
	}
}

// java returns the path of the Java in JAVA_HOME, or else in PATH.
func java() string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java")
	}
	return "java"
}

// javaVersion returns the number of the installed version, or 0.
func javaVersion(t *testing.T) int {
	t.Helper()
	output, _ := exec.Command(java(), "-version").CombinedOutput()
	found := regexp.MustCompile(`version "(\d+)`).FindSubmatch(output)
	if found == nil {
		return 0
	}
	version, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return version
}
