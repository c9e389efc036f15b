//go:build lake

// Package lake publishes to a real S3 server and compares every table in several engines.
// `go tool mage laketest` installs the server and the engines, and runs the tests.
package lake

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The days of history of each person, and the people.
const (
	days   = 30
	people = 3
)

// world is an S3 server with one bucket, and a data folder with several people.
type world struct {
	t         *testing.T
	data      string
	endpoint  string
	databases []string
}

// python returns the path of a program in the virtual environment.
func python(name string) string { return filepath.Join(os.Getenv("RINGSIDE_VENV"), "bin", name) }

// freePort returns a port that no process uses.
func freePort(t *testing.T) int {
	t.Helper()
	return freePorts(t, 1)[0]
}

// freePorts returns different ports that no process uses.
func freePorts(t *testing.T, number int) []int {
	t.Helper()
	var ports []int
	for range number {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		// After the loop, so that no port is given twice.
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// start starts the server and creates the data of the people.
func start(t *testing.T) *world {
	t.Helper()
	w := startServer(t)
	folder := t.TempDir()
	w.data = filepath.Join(folder, "data")
	w.createPeople(folder)
	return w
}

// startServer starts the server with an empty bucket.
func startServer(t *testing.T) *world {
	t.Helper()
	folder := t.TempDir()
	identities := `{"identities": [
		{"name": "owner", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
		 "credentials": [{"accessKey": "owner", "secretKey": "owner-secret"}]},
		{"name": "reader", "actions": ["Read", "List"],
		 "credentials": [{"accessKey": "reader", "secretKey": "reader-secret"}]}]}`
	config := filepath.Join(folder, "s3.json")
	if err := os.WriteFile(config, []byte(identities), 0o600); err != nil {
		t.Fatal(err)
	}
	stored := filepath.Join(folder, "objects")
	if err := os.Mkdir(stored, 0o700); err != nil {
		t.Fatal(err)
	}
	// The server needs fixed ports for all of its parts.
	at := freePorts(t, 8)
	server := exec.Command(python("weed"), "server", "-dir="+stored, "-ip=127.0.0.1", "-s3",
		"-s3.config="+config, "-volume.max=50", "-master.volumeSizeLimitMB=64",
		fmt.Sprintf("-s3.port=%d", at[0]), fmt.Sprintf("-master.port=%d", at[1]),
		fmt.Sprintf("-volume.port=%d", at[2]), fmt.Sprintf("-filer.port=%d", at[3]),
		// The default is the port and 10,000, which may not exist.
		fmt.Sprintf("-s3.port.grpc=%d", at[4]), fmt.Sprintf("-master.port.grpc=%d", at[5]),
		fmt.Sprintf("-volume.port.grpc=%d", at[6]), fmt.Sprintf("-filer.port.grpc=%d", at[7]))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	w := &world{t: t, endpoint: fmt.Sprintf("http://127.0.0.1:%d", at[0])}
	// The server answers before it can store.
	create := `import boto3, sys, time
client = boto3.client("s3")
for attempt in range(600):
    try:
        if client.list_buckets()["Buckets"] == []:
            client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="ready", Body=b"1")
        break
    except Exception as error:
        failure = error
        time.sleep(0.5)
else:
    sys.exit(str(failure))`
	w.must(w.environment(exec.Command(python("python"), "-c", create)))
	return w
}

// createPeople syncs synthetic people, and puts their databases into one data folder.
func (w *world) createPeople(folder string) {
	w.t.Helper()
	for seed := 1; seed <= people; seed++ {
		demo := filepath.Join(folder, fmt.Sprintf("demo-%d", seed))
		w.must(exec.Command(os.Getenv("RINGSIDE_BINARY"), "demo", "--data-dir", demo,
			"--days", strconv.Itoa(days), "--seed", strconv.Itoa(seed), "--repeat", "1"))
		person := filepath.Join(w.data, "1", fmt.Sprintf("person-%d", seed))
		if err := os.MkdirAll(person, 0o700); err != nil {
			w.t.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			name := "oura.db" + suffix
			err := os.Rename(filepath.Join(demo, "1", "oura", name), filepath.Join(person, name))
			if err != nil && !os.IsNotExist(err) {
				w.t.Fatal(err)
			}
		}
		w.databases = append(w.databases, filepath.Join(person, "oura.db"))
	}
}

// environment gives a command the settings of the server, and further ones.
func (w *world) environment(command *exec.Cmd, further ...string) *exec.Cmd {
	command.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=owner", "AWS_SECRET_ACCESS_KEY=owner-secret",
		"AWS_REGION=us-east-1", "AWS_ALLOW_HTTP=true", "AWS_ENDPOINT_URL="+w.endpoint)
	command.Env = append(command.Env, further...)
	return command
}

// lake is a command of the program.
func (w *world) lake(place string, arguments ...string) *exec.Cmd {
	all := append([]string{"lake"}, arguments...)
	command := exec.Command(os.Getenv("RINGSIDE_BINARY"), all...)
	return w.environment(command, "RINGSIDE_DATA_DIR="+w.data, "RINGSIDE_LAKE="+place)
}

// must runs a command that has to succeed. Returns its output.
func (w *world) must(command *exec.Cmd) string {
	w.t.Helper()
	output, err := command.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", command.Args, err, output)
	}
	return string(output)
}

// fails runs a command that has to fail with all of the texts.
func (w *world) fails(command *exec.Cmd, texts ...string) {
	w.t.Helper()
	output, err := command.CombinedOutput()
	for _, text := range texts {
		if err == nil || !strings.Contains(string(output), text) {
			w.t.Errorf("%v: %v, without %q: %s", command.Args, err, text, output)
		}
	}
}

// compare compares every table in the engines.
func (w *world) compare(place, engines string, databases []string, further ...string) {
	w.t.Helper()
	arguments := append([]string{"compare.py", place, "--engines", engines}, databases...)
	arguments = append(arguments, further...)
	output := w.must(w.environment(exec.Command(python("python"), arguments...)))
	for _, engine := range strings.Split(engines, ",") {
		if !strings.Contains(output, engine+": ") {
			w.t.Errorf("%s has no result: %s", engine, output)
		}
	}
	w.t.Log(output)
}

func TestLakeOnS3(t *testing.T) {
	w := start(t)
	const place = "s3://bucket/ringside"

	w.fails(w.lake("s3://other/ringside", "init"), "NoSuchBucket", "Check the address, the bucket and the rights")
	w.fails(w.environment(w.lake(place, "init"), "RINGSIDE_DATA_DIR="+w.data, "RINGSIDE_LAKE="+place,
		"AWS_ACCESS_KEY_ID=reader", "AWS_SECRET_ACCESS_KEY=reader-secret"), "AccessDenied")
	w.fails(w.lake(place, "publish"), "contains no lake", "lake init")

	t.Log(w.must(w.lake(place, "init")))
	t.Log(w.must(w.lake(place, "publish")))
	t.Log(w.must(w.lake(place, "check")))
	w.compare(place, "deltalake,polars,duckdb", w.databases)

	t.Log(w.must(w.lake(place, "forget", "1/person-2")))
	w.must(w.lake(place, "check"))
	w.compare(place, "deltalake,polars,duckdb", []string{w.databases[0], w.databases[2]})

	broken := w.behindFaults()
	w.must(broken.lake("s3://bucket/broken", "init"))
	w.must(broken.lake("s3://bucket/broken", "publish"))
	w.must(w.lake("s3://bucket/broken", "check"))

	const full = "s3://bucket/full"
	w.must(w.lake(full, "init"))
	w.fails(w.whenFull().lake(full, "publish"), "No space is left", "cannot be read or written")
	w.must(w.lake(full, "publish"))
	w.must(w.lake(full, "check"))
	w.compare(full, "deltalake", []string{w.databases[0], w.databases[2]})
}

func TestKilledAndSimultaneousPublishers(t *testing.T) {
	w := start(t)
	kills := 10
	if text := os.Getenv("LAKE_KILLS"); text != "" {
		kills, _ = strconv.Atoi(text)
	}
	random := rand.New(rand.NewSource(1))
	longest := 4 * time.Second
	for kill := range kills {
		place := fmt.Sprintf("s3://bucket/killed-%d", kill/5)
		w.must(w.lake(place, "init"))
		publisher := w.lake(place, "publish")
		if err := publisher.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Float64() * float64(longest)))
		_ = publisher.Process.Kill()
		_ = publisher.Wait()
		if kill%5 == 4 {
			w.must(w.lake(place, "publish"))
			w.must(w.lake(place, "check"))
		}
	}

	const place = "s3://bucket/simultaneous"
	w.must(w.lake(place, "init"))
	var publishers []*exec.Cmd
	for range 2 {
		publisher := w.lake(place, "publish")
		if err := publisher.Start(); err != nil {
			t.Fatal(err)
		}
		publishers = append(publishers, publisher)
	}
	for _, publisher := range publishers {
		if err := publisher.Wait(); err != nil {
			t.Errorf("a publisher failed: %v", err)
		}
	}
	t.Log(w.must(w.lake(place, "check")))
	w.compare(place, "deltalake", w.databases)
}

// TestClocks gives the storage another time than the publisher has. Files that a publication removed
// stay for a day of the storage. A server that refuses the difference is named as such.
func TestClocks(t *testing.T) {
	w := start(t)
	for _, difference := range []time.Duration{-72 * time.Hour, 72 * time.Hour} {
		place := fmt.Sprintf("s3://bucket/clock%d", int(difference.Hours()))
		other := w.atTime(difference)
		w.must(other.lake(place, "init"))
		w.must(other.lake(place, "publish"))
		w.exchange(0, 1)
		output := w.must(other.lake(place, "publish"))
		if !strings.Contains(output, "; 0 old files are deleted") {
			t.Errorf("%v: files are deleted too early: %s", difference, output)
		}
		w.compare(place, "deltalake", w.databases)
		tomorrow := w.atTime(difference + 25*time.Hour)
		output = w.must(tomorrow.lake(place, "publish"))
		if strings.Contains(output, "; 0 old files are deleted") {
			t.Errorf("%v: removed files stay too long: %s", difference, output)
		}
		t.Logf("the storage differs by %v, and a day later: %s", difference, output)
		w.must(w.lake(place, "check"))
	}
	refusing := w.behind(func(response http.ResponseWriter, _ *http.Request, _ http.Handler) {
		response.WriteHeader(http.StatusForbidden)
		_, _ = response.Write([]byte("<Error><Code>RequestTimeTooSkewed</Code><Message>The difference " +
			"between the request time and the current time is too large.</Message></Error>"))
	})
	w.fails(refusing.lake("s3://bucket/refused", "init"), "RequestTimeTooSkewed", "Correct the clock")
}

// exchange gives two people each other's databases, so that all of their files are replaced.
func (w *world) exchange(one, other int) {
	w.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		first, second := w.databases[one]+suffix, w.databases[other]+suffix
		spare := filepath.Join(filepath.Dir(w.data), "spare")
		for _, step := range [][2]string{{first, spare}, {second, first}, {spare, second}} {
			if err := os.Rename(step[0], step[1]); err != nil && !os.IsNotExist(err) {
				w.t.Fatal(err)
			}
		}
	}
}

// atTime returns the world behind a proxy that moves every time of the storage.
func (w *world) atTime(difference time.Duration) *world {
	const inList = "2006-01-02T15:04:05Z07:00"
	moved := func(text, layout string) string {
		at, err := time.Parse(layout, text)
		if err != nil {
			w.t.Errorf("unknown time: %v", err)
		}
		return at.Add(difference).UTC().Format(layout)
	}
	times := regexp.MustCompile("<LastModified>([^<]*)</LastModified>")
	return w.behindProxy(func(response *http.Response) error {
		if text := response.Header.Get("Last-Modified"); text != "" {
			response.Header.Set("Last-Modified", moved(text, http.TimeFormat))
		}
		if !strings.Contains(response.Header.Get("Content-Type"), "xml") {
			return nil
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		body = times.ReplaceAllFunc(body, func(found []byte) []byte {
			text := times.FindSubmatch(found)[1]
			return []byte("<LastModified>" + moved(string(text), inList) + "</LastModified>")
		})
		response.Body = io.NopCloser(bytes.NewReader(body))
		response.ContentLength = int64(len(body))
		response.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}, nil)
}

// TestSparkCluster compares in a cluster of a master and two workers, over a lake in a folder, and runs the
// statements of the document and of `lake ddl` in every engine.
func TestSparkCluster(t *testing.T) {
	w := &world{t: t, data: filepath.Join(t.TempDir(), "data")}
	w.createPeople(t.TempDir())
	place := filepath.Join(t.TempDir(), "lake")
	w.must(w.lake(place, "init"))
	w.must(w.lake(place, "publish"))
	master := w.startSpark()
	arguments := []string{"compare.py", place, "--engines", "spark", "--spark-master", master}
	output := w.must(exec.Command(python("python"), append(arguments, w.databases...)...))
	if !strings.Contains(output, " 0 differences") {
		t.Error(output)
	}
	t.Log(output)

	engines := []string{"duckdb", "clickhouse", "spark"}
	w.runStatements(engines, place, place, "--spark-master", master)
}

// startSpark starts a master and two workers with a core each. Returns the address of the master.
func (w *world) startSpark() string {
	w.t.Helper()
	port := freePort(w.t)
	master := fmt.Sprintf("spark://127.0.0.1:%d", port)
	w.background(python("spark-class"), "org.apache.spark.deploy.master.Master",
		"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--webui-port", "0")
	w.waitFor(port)
	for range 2 {
		w.background(python("spark-class"), "org.apache.spark.deploy.worker.Worker",
			"--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0", master)
	}
	return master
}

// TestCohort measures a question over all people of a large lake, in DuckDB and in a Spark cluster.
// RINGSIDE_COHORT is the folder of the lake.
func TestCohort(t *testing.T) {
	place := os.Getenv("RINGSIDE_COHORT")
	if place == "" {
		t.Skip("SKIPPED: RINGSIDE_COHORT is the folder of a lake with many people")
	}
	w := &world{t: t}
	t.Log(w.must(exec.Command(python("python"), "cohort.py", place, "--spark-master", w.startSpark())))
}

// runStatements runs the statements of docs/lake.md after those of `lake ddl` for the lake at place. The
// document reads a lake in a folder of the name "lake".
func (w *world) runStatements(engines []string, place, folder string, arguments ...string) {
	w.t.Helper()
	document, err := filepath.Abs(filepath.Join("..", "..", "docs", "lake.md"))
	if err != nil {
		w.t.Fatal(err)
	}
	script, err := filepath.Abs("statements.py")
	if err != nil {
		w.t.Fatal(err)
	}
	arguments = append([]string{script, document}, arguments...)
	for _, engine := range engines {
		file := filepath.Join(w.t.TempDir(), engine+".sql")
		statements := w.must(w.lake(place, "ddl", "--for", engine))
		if err := os.WriteFile(file, []byte(statements), 0o600); err != nil {
			w.t.Fatal(err)
		}
		arguments = append(arguments, "--"+engine, file)
	}
	command := exec.Command(python("python"), arguments...)
	command.Dir = filepath.Dir(folder)
	w.t.Log(w.must(command))
}

// waitFor waits until a program listens on a port.
func (w *world) waitFor(port int) {
	w.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = connection.Close()
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal(err)
		}
	}
}

// background starts a program that ends with the test.
func (w *world) background(name string, arguments ...string) {
	w.t.Helper()
	command := exec.Command(name, arguments...)
	command.Dir = w.t.TempDir()
	// spark-class finds Spark by the Python that has it.
	path := filepath.Dir(python("python3")) + string(os.PathListSeparator) + os.Getenv("PATH")
	command.Env = append(os.Environ(), "SPARK_LOCAL_IP=127.0.0.1", "PATH="+path)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// behindFaults returns the world behind a proxy that answers each third request with 503 or 500, and
// others late.
func (w *world) behindFaults() *world {
	var requests atomic.Int64
	return w.behind(func(response http.ResponseWriter, request *http.Request, proxy http.Handler) {
		number := requests.Add(1)
		switch {
		case number%6 == 0:
			response.WriteHeader(http.StatusInternalServerError)
		case number%3 == 0:
			response.WriteHeader(http.StatusServiceUnavailable)
		case number%50 == 1:
			time.Sleep(3 * time.Second)
			proxy.ServeHTTP(response, request)
		default:
			time.Sleep(20 * time.Millisecond)
			proxy.ServeHTTP(response, request)
		}
	})
}

// whenFull returns the world behind a proxy that refuses writes after the first ones, as a server does
// without space.
func (w *world) whenFull() *world {
	var writes atomic.Int64
	return w.behind(func(response http.ResponseWriter, request *http.Request, proxy http.Handler) {
		if request.Method == http.MethodPut && writes.Add(1) > 20 {
			response.WriteHeader(http.StatusInsufficientStorage)
			_, _ = response.Write([]byte("<Error><Code>StorageFull</Code><Message>No space is left</Message></Error>"))
			return
		}
		proxy.ServeHTTP(response, request)
	})
}

// behind returns the world behind a proxy that asks handle first.
func (w *world) behind(handle func(http.ResponseWriter, *http.Request, http.Handler)) *world {
	return w.behindProxy(nil, handle)
}

// behindProxy returns the world behind a proxy that changes responses, and asks handle first. Both may
// be nil.
func (w *world) behindProxy(
	change func(*http.Response) error, handle func(http.ResponseWriter, *http.Request, http.Handler),
) *world {
	w.t.Helper()
	target, err := url.Parse(w.endpoint)
	if err != nil {
		w.t.Fatal(err)
	}
	// The host is part of the signature, so it stays.
	proxy := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(target)
		request.Out.Host = request.In.Host
	}, ModifyResponse: change}
	var handler http.Handler = proxy
	if handle != nil {
		handler = http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			handle(response, request, proxy)
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	w.t.Cleanup(func() { _ = server.Close() })
	behind := *w
	behind.endpoint = "http://" + listener.Addr().String()
	return &behind
}
