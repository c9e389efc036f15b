package host

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// certificates are the files of a private authority and of a server on this machine.
type certificates struct {
	authority, certificate, key string
}

// issue writes the certificates to folder.
func issue(folder string) (certificates, error) {
	files := certificates{
		authority:   filepath.Join(folder, "ca.pem"),
		certificate: filepath.Join(folder, "tls.crt"),
		key:         filepath.Join(folder, "tls.key"),
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Private authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "Owner"},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		DNSNames:     []string{"localhost"},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	own, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return files, err
	}
	signed, err := x509.CreateCertificate(rand.Reader, server, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return files, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, err
	}
	for name, block := range map[string]pem.Block{
		files.authority:   {Type: "CERTIFICATE", Bytes: own},
		files.certificate: {Type: "CERTIFICATE", Bytes: signed},
		files.key:         {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(&block), 0o600); err != nil {
			return files, err
		}
	}
	return files, nil
}

// Owner is a `gpx_oura serve --doors` process.
type Owner struct {
	command *exec.Cmd
	files   certificates
	dataDir string
	// address is the port for doors, without a scheme.
	address string
	log     *transcript
}

// own starts an owner of dataDir, with TLS. The environment is that of a plugin on the folder.
func own(dataDir string, environment []string, arguments ...string) (*Owner, error) {
	files, err := issue(dataDir)
	if err != nil {
		return nil, err
	}
	owner := &Owner{files: files, dataDir: dataDir}
	return owner, owner.start(environment, "127.0.0.1:0", arguments...)
}

func (o *Owner) start(environment []string, address string, arguments ...string) error {
	arguments = append([]string{
		"serve", "--data-dir", o.dataDir, "--listen", "127.0.0.1:0", "--doors", address,
		"--tls-cert", o.files.certificate, "--tls-key", o.files.key,
	}, arguments...)
	o.command = exec.Command(binary, arguments...)
	o.command.Env = environment
	o.log = newTranscript()
	o.command.Stderr = o.log
	out, err := o.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := o.command.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, found := strings.Cut(lines.Text(), "doors at https://"); found {
			o.address = address
			return nil
		}
	}
	o.kill()
	return fmt.Errorf("the owner opens no port for doors: %s", o.log)
}

// kill ends the owner without a shutdown.
func (o *Owner) kill() {
	_ = o.command.Process.Kill()
	_ = o.command.Wait()
}

// stop ends the owner as systemd does.
func (o *Owner) stop() {
	_ = o.command.Process.Signal(syscall.SIGTERM)
	_ = o.command.Wait()
}

// token runs `gpx_oura token` on the owner's folder, and returns the first line of its output.
func (o *Owner) token(arguments ...string) (string, error) {
	return ownerToken(o.dataDir, arguments...)
}

func ownerToken(dataDir string, arguments ...string) (string, error) {
	command := exec.Command(binary, append([]string{"token"}, arguments...)...)
	command.Env = []string{"RINGSIDE_DATA_DIR=" + dataDir}
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("token %v: %w", arguments, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// door is the environment of a plugin behind a door.
func (o *Owner) door(token string) []string {
	_, port, _ := net.SplitHostPort(o.address)
	return []string{
		"GF_VERSION=12.4.0",
		"GF_PLUGIN_LOG_LEVEL=debug",
		"GF_PLUGIN_OWNER_URL=https://localhost:" + port,
		"GF_PLUGIN_OWNER_CA=" + o.files.authority,
		"GF_PLUGIN_OWNER_TOKEN=" + token,
	}
}

// owned is an owner for one test, with a simulated Oura's URL.
func owned(t *testing.T, oura string, arguments ...string) *Owner {
	t.Helper()
	dataDir := t.TempDir()
	owner, err := own(dataDir, environment(dataDir, oura), arguments...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.kill)
	return owner
}

// open starts a plugin behind a new door of the owner.
func (o *Owner) open(t *testing.T, name string, arguments ...string) *Plugin {
	t.Helper()
	token, err := o.token(append([]string{"add", name, "--role", "door"}, arguments...)...)
	if err != nil {
		t.Fatal(err)
	}
	addSecret("door", token)
	return o.enter(t, token)
}

// enter starts a plugin behind the door of a token.
func (o *Owner) enter(t *testing.T, token string) *Plugin {
	t.Helper()
	relay, err := startDirect(o.door(token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Kill)
	return relay
}

// answer is the response to one query.
func (p *Plugin) answer(t *testing.T, source Datasource, statement string) *pluginv2.DataResponse {
	t.Helper()
	return p.query(t, source, sql("A", "table", statement))["A"]
}

// checkAnswer checks status and text of an error response.
func checkAnswer(t *testing.T, response *pluginv2.DataResponse, status int32, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if response.Status != status || !strings.Contains(response.Error, text) {
			t.Errorf("no %d with %q: %d %q", status, text, response.Status, response.Error)
		}
	}
}

func TestDoorAnswersAsTheOwner(t *testing.T) {
	owner := owned(t, unreachable)
	relay := owner.open(t, "home")
	responses := relay.query(t, oura,
		sql("A", "table", "SELECT 1 AS one"), sql("B", "table", "SELECT oops"))
	if rows := rowsOf(t, responses["A"]); rows != 1 {
		t.Errorf("%d rows", rows)
	}
	checkAnswer(t, responses["B"], 400, "oops")
	if status := relay.call(t, oura, http.MethodGet, "status", nil); status.Code != http.StatusOK {
		t.Errorf("%d %s", status.Code, status.Body)
	}
	if health := relay.health(t, oura); !strings.Contains(health.Message, "Press Connect") {
		t.Errorf("%v", health)
	}
	if _, err := os.Stat(filepath.Join(owner.dataDir, "home", "1", oura.UID, "oura.db")); err != nil {
		t.Error(err)
	}
}

func TestOwnerOutOfReachIsAnAnswerPerQuery(t *testing.T) {
	owner := owned(t, unreachable)
	relay := owner.open(t, "home")
	rowsOf(t, relay.answer(t, oura, "SELECT 1"))
	owner.kill()
	responses := relay.query(t, oura, sql("A", "table", "SELECT 1"), sql("B", "table", "SELECT 2"))
	for _, name := range []string{"A", "B"} {
		checkAnswer(t, responses[name], 502, "owner at https://localhost:", "gpx_oura serve --doors")
	}
	health := relay.health(t, oura)
	if health.Status != pluginv2.CheckHealthResponse_ERROR ||
		!strings.Contains(health.Message, "cannot be reached") ||
		!strings.Contains(string(health.JsonDetails), "owner_unreachable") {
		t.Errorf("%v", health)
	}
	status := relay.call(t, oura, http.MethodGet, "status", nil)
	if status.Code != http.StatusBadGateway || status.field("error", "code") != "owner_unreachable" {
		t.Errorf("%d %s", status.Code, status.Body)
	}
	metrics, err := relay.diagnostics.CollectMetrics(context.Background(), &pluginv2.CollectMetricsRequest{})
	if err != nil || !strings.Contains(string(metrics.Metrics.Prometheus), "ringside_up 0") {
		t.Errorf("%v %v", metrics, err)
	}

	if err := owner.start(environment(owner.dataDir, unreachable), owner.address); err != nil {
		t.Fatal(err)
	}
	if rows := rowsOf(t, relay.answer(t, oura, "SELECT 1")); rows != 1 {
		t.Errorf("%d rows of the owner that is back", rows)
	}
}

func TestOnlyAValidTokenOpensADoor(t *testing.T) {
	owner := owned(t, unreachable)
	read, err := owner.token("add", "script")
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"ringside_wrong", "line\nbreak", read} {
		checkAnswer(t, owner.enter(t, token).answer(t, oura, "SELECT 1"), 502,
			"rejects the token", "gpx_oura token add NAME --role door")
	}
	relay := owner.open(t, "home")
	rowsOf(t, relay.answer(t, oura, "SELECT 1"))
	if _, err := owner.token("revoke", "home"); err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, relay.answer(t, oura, "SELECT 1"), 502, "rejects the token")
}

func TestCertificateOfAnotherAuthorityIsRejected(t *testing.T) {
	owner := owned(t, unreachable)
	token, err := owner.token("add", "home", "--role", "door")
	if err != nil {
		t.Fatal(err)
	}
	other, err := issue(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	good := owner.door(token)
	for name, fault := range map[string]struct{ setting, remedy string }{
		"another authority": {"GF_PLUGIN_OWNER_CA=" + other.authority, "set owner_ca"},
		"no authority":      {"GF_PLUGIN_OWNER_CA=", "set owner_ca"},
		"a missing file":    {"GF_PLUGIN_OWNER_CA=/no/file", "owner_ca"},
		"another name":      {"GF_PLUGIN_OWNER_URL=https://" + owner.address, "owner_url"},
	} {
		t.Run(name, func(t *testing.T) {
			relay, err := startDirect(append(append([]string{}, good...), fault.setting))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(relay.Kill)
			checkAnswer(t, relay.answer(t, oura, "SELECT 1"), 502, "certificate", fault.remedy)
		})
	}
}

func TestReaderDoorIsNeverAdmin(t *testing.T) {
	owner := owned(t, unreachable)
	home := owner.open(t, "home")
	rowsOf(t, home.answer(t, oura, "SELECT 1"))
	wall := owner.open(t, "wall", "--cap", "reader", "--grant", "1/ann=home/1/oura")
	ann := Datasource{Org: 1, UID: "ann", Role: "Admin"}
	if rows := rowsOf(t, wall.answer(t, ann, "SELECT 1")); rows != 1 {
		t.Errorf("%d rows of a granted data source", rows)
	}
	page := map[string]any{"redirectUri": "http://localhost/connections/datasources/edit/ann"}
	for route, body := range map[string]map[string]any{
		"sync": {}, "oauth/start": page, "oauth/disconnect": {}, "data/delete": {"confirm": "ann"},
	} {
		refused := wall.call(t, ann, http.MethodPost, route, body)
		if refused.Code != http.StatusForbidden || refused.field("error", "code") != "admin_only" {
			t.Errorf("%s: %d %s", route, refused.Code, refused.Body)
		}
	}
	// A reader door creates nothing at the owner.
	checkAnswer(t, wall.answer(t, oura, "SELECT 1"), 403, "no data source 1/oura is granted")
	if _, err := os.Stat(filepath.Join(owner.dataDir, "wall")); !os.IsNotExist(err) {
		t.Errorf("the reader door has a folder: %v", err)
	}
	if _, err := owner.token("ungrant", "wall", "1/ann"); err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, wall.answer(t, ann, "SELECT 1"), 403, "no data source 1/ann is granted")
}

func TestDoorsAreSeparate(t *testing.T) {
	origin := simulated(t, "--days", "5")
	owner := owned(t, origin)
	home, lab := owner.open(t, "home"), owner.open(t, "lab")
	if err := connect(home, oura); err != nil {
		t.Fatal(err)
	}
	for _, source := range []Datasource{oura, {Org: 1, UID: "other", Role: "Admin"}} {
		if status := lab.call(t, source, http.MethodGet, "status", nil); status.field("state") != "not_connected" {
			t.Errorf("%v: %d %s", source, status.Code, status.Body)
		}
	}
	for _, uid := range []string{"home/1/oura", "../home/1/oura", "../../1/oura"} {
		checkAnswer(t, lab.answer(t, Datasource{Org: 1, UID: uid, Role: "Admin"}, "SELECT 1"), 400, "uid")
	}
	metrics, err := lab.diagnostics.CollectMetrics(context.Background(), &pluginv2.CollectMetricsRequest{})
	if err != nil || strings.Contains(string(metrics.Metrics.Prometheus), "home") {
		t.Errorf("%v %v", metrics, err)
	}
	// A grant shows one data source, with the settings of the Grafana that it belongs to.
	if _, err := owner.token("grant", "lab", "1/oura=home/1/oura"); err != nil {
		t.Fatal(err)
	}
	if status := lab.call(t, oura, http.MethodGet, "status", nil); status.field("state") != "connected" {
		t.Errorf("%d %s", status.Code, status.Body)
	}
	refused := lab.call(t, oura, http.MethodPost, "oauth/disconnect", map[string]any{})
	if refused.Code != http.StatusForbidden {
		t.Errorf("%d %s", refused.Code, refused.Body)
	}
}

// replicas are two plugins behind one door.
func replicas(t *testing.T, owner *Owner) [2]*Plugin {
	t.Helper()
	token, err := owner.token("add", "home", "--role", "door")
	if err != nil {
		t.Fatal(err)
	}
	addSecret("door", token)
	return [2]*Plugin{owner.enter(t, token), owner.enter(t, token)}
}

// count is a number from the environment, for a longer test than the everyday one.
func count(t *testing.T, name string, everyday int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return everyday
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestLoginBegunAtOneReplicaEndsAtTheOther(t *testing.T) {
	owner := owned(t, simulated(t, "--days", "3"))
	pair := replicas(t, owner)
	for login := range count(t, "LOGINS", 10) {
		both := alternating(pair[login%2], pair[(login+1)%2])
		if err := connect(both, oura); err != nil {
			t.Fatalf("login %d: %v", login, err)
		}
		for _, replica := range pair {
			status := replica.call(t, oura, http.MethodGet, "status", nil)
			if status.field("state") != "connected" {
				t.Fatalf("login %d: %d %s", login, status.Code, status.Body)
			}
		}
	}
}

func TestOwnerKilledUnderPanelsIsAnAnswer(t *testing.T) {
	owner := owned(t, unreachable)
	relay := owner.open(t, "home")
	slow := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60000) SELECT i FROM n"
	var stop sync.WaitGroup
	ended := make(chan struct{})
	for range 4 {
		stop.Add(1)
		go func() {
			defer stop.Done()
			for {
				select {
				case <-ended:
					return
				default:
				}
				request := &pluginv2.QueryDataRequest{
					PluginContext: oura.context(), Queries: []*pluginv2.DataQuery{sql("A", "table", slow)},
				}
				answer, err := relay.data.QueryData(context.Background(), request)
				if err != nil {
					t.Errorf("the call fails without an answer: %v", err)
					return
				}
				if response := answer.Responses["A"]; response.Status != 200 && response.Status != 502 {
					t.Errorf("%d %s", response.Status, response.Error)
				}
			}
		}()
	}
	for range count(t, "OWNER_KILLS", 5) {
		if rows := rowsOf(t, relay.answer(t, oura, "SELECT 1")); rows != 1 {
			t.Errorf("%d rows", rows)
		}
		owner.kill()
		if err := owner.start(environment(owner.dataDir, unreachable), owner.address); err != nil {
			t.Fatal(err)
		}
	}
	close(ended)
	stop.Wait()
}

func TestLargeResponsePassesInPiecesAndLargeRequestIsRefused(t *testing.T) {
	dataDir := t.TempDir()
	limit := "GF_PLUGIN_QUERY_MAX_BYTES=268435456"
	owner, err := own(dataDir, append(environment(dataDir, unreachable), limit))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.kill)
	relay := owner.open(t, "home")
	before := residentPeak(t, relay.ReattachConfig().Pid)
	wanted := count(t, "MESSAGE_MIB", 80) << 20
	const row = 120_000
	large := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d)
		SELECT i, printf('%%%dd', i) AS text FROM n`, wanted/row+1, row)
	response := relay.answer(t, oura, large)
	size := 0
	for _, frame := range response.Frames {
		size += len(frame)
	}
	if response.Error != "" || size < wanted {
		t.Fatalf("%d bytes, %s", size, response.Error)
	}
	if grown := residentPeak(t, relay.ReattachConfig().Pid) - before; grown > 32<<20 {
		t.Errorf("the relay grew by %d MiB", grown>>20)
	}

	request := &pluginv2.QueryDataRequest{
		PluginContext: oura.context(),
		Queries:       []*pluginv2.DataQuery{sql("A", "table", "SELECT 1 --"+strings.Repeat("x", wanted))},
	}
	_, err = relay.data.QueryData(context.Background(), request)
	if err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("a request of %d MiB: %v", wanted>>20, err)
	}
	if rows := rowsOf(t, relay.answer(t, oura, "SELECT 1")); rows != 1 {
		t.Errorf("%d rows afterwards", rows)
	}
}

// residentPeak is the largest resident memory of a process so far, in bytes.
func residentPeak(t testing.TB, pid int) int { return memory(t, pid, "VmHWM") }

// ownMemory is the resident memory of a process without pages of files, which processes share.
func ownMemory(t testing.TB, pid int) int { return memory(t, pid, "RssAnon") }

// memory is a kind of memory of a process, in bytes, as Linux names it.
func memory(t testing.TB, pid int, kind string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("the memory of a process is only known on Linux")
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == kind+":" {
			kilobytes, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatal("no " + kind)
	return 0
}

func TestSlowDoorStarvesNoOther(t *testing.T) {
	owner := owned(t, unreachable)
	slow, quick := owner.open(t, "slow"), owner.open(t, "quick")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	endless := sql("A", "table", `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
		SELECT sum(i) FROM n`)
	var running sync.WaitGroup
	for range 40 {
		running.Add(1)
		go func() {
			defer running.Done()
			request := &pluginv2.QueryDataRequest{
				PluginContext: oura.context(), Queries: []*pluginv2.DataQuery{endless},
			}
			_, _ = slow.data.QueryData(ctx, request)
		}()
	}
	for range 20 {
		if rows := rowsOf(t, quick.answer(t, oura, "SELECT 1")); rows != 1 {
			t.Fatalf("%d rows", rows)
		}
	}
	cancel()
	running.Wait()
}

func TestDoorWithoutTLSIsRefusedOnAPublicAddress(t *testing.T) {
	dataDir := t.TempDir()
	command := exec.Command(binary, "serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0", "--doors", "0.0.0.0:0")
	command.Env = environment(dataDir, unreachable)
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--doors-without-tls") {
		t.Errorf("%v %s", err, out)
	}
	p, err := startDirect([]string{
		"GF_PLUGIN_OWNER_URL=http://owner.example:8790", "GF_PLUGIN_OWNER_TOKEN=x",
		"GF_PLUGIN_DATA_DIR=" + dataDir,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	checkAnswer(t, p.answer(t, oura, "SELECT 1"), 503, "GF_PLUGIN_OWNER_URL", "owner_without_tls")
}

func TestOtherProgramsAreNotTakenForAnOwner(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) },
	)}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	for address, text := range map[string]string{
		listener.Addr().String(): "HTTP 418",
		"127.0.0.1:9":            "cannot be reached",
	} {
		p, err := startDirect([]string{
			"GF_PLUGIN_OWNER_URL=http://" + address, "GF_PLUGIN_OWNER_TOKEN=x",
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		checkAnswer(t, p.answer(t, oura, "SELECT 1"), 502, text)
	}
}

func TestOtherVersionsAreUnderstood(t *testing.T) {
	owner := owned(t, unreachable)
	token, err := owner.token("add", "home", "--role", "door")
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(owner.files.authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	trust := credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "localhost"})
	connection, err := grpc.NewClient(owner.address, grpc.WithTransportCredentials(trust))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	// A relay of a later version, with a field and a service that this owner does not know.
	ctx := metadata.AppendToOutgoingContext(t.Context(),
		"authorization", "Bearer "+token, "ringside-version", "99.0.0")
	request := &pluginv2.QueryDataRequest{
		PluginContext: oura.context(), Queries: []*pluginv2.DataQuery{sql("A", "table", "SELECT 1")},
	}
	request.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 999, protowire.VarintType), 1))
	response, err := pluginv2.NewDataClient(connection).QueryData(ctx, request)
	if err != nil || rowsOf(t, response.Responses["A"]) != 1 {
		t.Errorf("%v %v", response, err)
	}
	err = connection.Invoke(ctx, "/pluginv2.Later/Method", request, response)
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown service: %v", err)
	}
	relay := owner.enter(t, token)
	stream, err := relay.data.QueryChunkedData(t.Context(), &pluginv2.QueryChunkedDataRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a method that the owner lacks: %v", err)
	}
}
