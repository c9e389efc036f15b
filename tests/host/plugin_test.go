package host

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// pluginID is the id in plugin.json.
const pluginID = "ringside-oura-datasource"

// Plugin is a running plugin with one client per service.
type Plugin struct {
	*plugin.Client
	data        grpcplugin.DataClient
	diagnostics grpcplugin.DiagnosticsClient
	resources   grpcplugin.ResourceClient
	log         *transcript
	// atEnd ends the processes that the plugin needs. May be nil.
	atEnd func()
}

// Kill ends the plugin, and the processes that it needs.
func (p *Plugin) Kill() {
	p.Client.Kill()
	if p.atEnd != nil {
		p.atEnd()
	}
}

// magicCookie proves to the plugin that Grafana starts it.
const magicCookie = grpcplugin.MagicCookieKey + "=" + grpcplugin.MagicCookieValue

// environment is the environment that Grafana sets for a plugin, without the handshake. The plugin
// inherits no other variable.
func environment(dataDir, oura string) []string {
	return []string{
		"GF_VERSION=12.4.0",
		"GF_EDITION=Open Source",
		"GF_PLUGIN_DATA_DIR=" + dataDir,
		"GF_PLUGIN_OURA_URL=" + oura,
		"GF_PLUGIN_LOG_LEVEL=debug",
		"GF_PLUGIN_METRICS_PER_DATASOURCE=true",
	}
}

// start launches the plugin. With RINGSIDE_DOORS in the environment of the tests, it launches an owner
// and two plugins behind a door, which are called in turn.
func start(environment []string) (*Plugin, error) {
	if isBehindDoor {
		return startBehindDoor(environment)
	}
	return startDirect(environment)
}

// startDirect launches the plugin and connects to its services as Grafana does
// (pkg/plugins/backendplugin/grpcplugin/client.go).
func startDirect(environment []string) (*Plugin, error) {
	return startAs(exec.Command(binary), environment)
}

// startAs is start with another command, which becomes the plugin.
func startAs(command *exec.Cmd, environment []string) (*Plugin, error) {
	command.Env = environment
	log := newTranscript()
	client := plugin.NewClient(&plugin.ClientConfig{
		Cmd: command,
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  grpcplugin.ProtocolVersion,
			MagicCookieKey:   grpcplugin.MagicCookieKey,
			MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{
			grpcplugin.ProtocolVersion: {
				"data":        &grpcplugin.DataGRPCPlugin{},
				"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{},
				"resource":    &grpcplugin.ResourceGRPCPlugin{},
			},
		},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		Logger: hclog.New(&hclog.LoggerOptions{
			Level: hclog.Debug, Output: log, JSONFormat: true,
		}),
	})
	started := &Plugin{Client: client, log: log}
	if err := started.dispense(); err != nil {
		client.Kill()
		return nil, err
	}
	return started, nil
}

func (p *Plugin) dispense() error {
	protocol, err := p.Client.Client()
	if err != nil {
		return err
	}
	if err := protocol.Ping(); err != nil {
		return err
	}
	var ok bool
	for name, take := range map[string]func(any){
		"data":        func(raw any) { p.data, ok = raw.(grpcplugin.DataClient) },
		"diagnostics": func(raw any) { p.diagnostics, ok = raw.(grpcplugin.DiagnosticsClient) },
		"resource":    func(raw any) { p.resources, ok = raw.(grpcplugin.ResourceClient) },
	} {
		raw, err := protocol.Dispense(name)
		if err != nil {
			return err
		}
		if take(raw); !ok {
			return errors.New("no client for " + name)
		}
	}
	return nil
}

// launch starts a plugin that ends with the test.
func launch(t *testing.T, dataDir, oura string) *Plugin {
	t.Helper()
	started, err := start(environment(dataDir, oura))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(started.Kill)
	return started
}

// Datasource is the data source and the user of a call.
type Datasource struct {
	Org  int64
	UID  string
	Role string
	// Zone is the time zone of the settings.
	Zone string
}

func (d Datasource) as(role string) Datasource {
	d.Role = role
	return d
}

func (d Datasource) context() *pluginv2.PluginContext {
	return &pluginv2.PluginContext{
		OrgId:    d.Org,
		PluginId: pluginID,
		User:     &pluginv2.User{Login: "ann", Name: "Ann", Email: "ann@example.org", Role: d.Role},
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{
			Uid:  d.UID,
			Name: "Oura",
			JsonData: []byte(`{"clientId":"` + clientID + `","syncIntervalMinutes":30,"timezone":"` +
				d.Zone + `"}`),
			DecryptedSecureJsonData: map[string]string{"clientSecret": clientSecret},
		},
	}
}

// Answer is the response to a resource call.
type Answer struct {
	Code int32
	Body []byte
}

// field reads a member of a JSON object, or nil if it is missing.
func (a Answer) field(names ...string) any { return fieldOf(a.Body, names...) }

// fieldOf reads a member of the JSON object in body, or nil if it is missing.
func fieldOf(body []byte, names ...string) any {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil
	}
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func contentType(value string) map[string]*pluginv2.StringList {
	return map[string]*pluginv2.StringList{"Content-Type": {Values: []string{value}}}
}

func (p *Plugin) resource(source Datasource, method, url string, body any) (Answer, error) {
	request := &pluginv2.CallResourceRequest{
		PluginContext: source.context(), Method: method, Path: url, Url: url,
	}
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return Answer{}, err
		}
		request.Body = encoded
		request.Headers = contentType("application/json")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stream, err := p.resources.CallResource(ctx, request)
	if err != nil {
		return Answer{}, err
	}
	var answer Answer
	for first := true; ; first = false {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return answer, nil
		}
		if err != nil {
			return Answer{}, err
		}
		if first {
			answer.Code = piece.Code
		}
		answer.Body = append(answer.Body, piece.Body...)
	}
}

// call is resource for tests that fail without a response.
func (p *Plugin) call(t *testing.T, source Datasource, method, url string, body any) Answer {
	t.Helper()
	answer, err := p.resource(source, method, url, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer
}
