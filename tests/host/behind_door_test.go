package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"google.golang.org/grpc"
)

// isBehindDoor makes all tests call an owner through two plugins in turn.
var isBehindDoor = os.Getenv("RINGSIDE_DOORS") != ""

// testDoor is the name of the door of all tests, and the folder of its data sources.
const testDoor = "tests"

// direct skips a test of a plugin process that owns its data folder.
func direct(t *testing.T) {
	t.Helper()
	if isBehindDoor {
		t.Skip("the test is about a plugin with a data folder")
	}
}

// folder is the folder of a data source.
func (d Datasource) folder(dataDir string) string {
	org := fmt.Sprint(d.Org)
	if isBehindDoor {
		return filepath.Join(dataDir, testDoor, org, d.UID)
	}
	return filepath.Join(dataDir, org, d.UID)
}

// labels identify the data source in the metrics of the process.
func (d Datasource) labels() string {
	labels := fmt.Sprintf(`org="%d",uid="%s"`, d.Org, d.UID)
	if isBehindDoor {
		return `door="` + testDoor + `",` + labels
	}
	return labels
}

// startBehindDoor starts an owner with the environment of a plugin, and two plugins behind its door.
// Killing the plugin ends all of them.
func startBehindDoor(environment []string) (*Plugin, error) {
	dataDir := ""
	for _, variable := range environment {
		if value, found := strings.CutPrefix(variable, "GF_PLUGIN_DATA_DIR="); found {
			dataDir = value
		}
	}
	owner, err := own(dataDir, environment)
	if err != nil {
		return nil, err
	}
	// A second plugin on the folder uses the same door.
	_, _ = owner.token("revoke", testDoor)
	token, err := owner.token("add", testDoor, "--role", "door")
	if err != nil {
		owner.kill()
		return nil, err
	}
	addSecret("door", token)
	first, firstErr := startDirect(owner.door(token))
	second, secondErr := startDirect(owner.door(token))
	if err := errors.Join(firstErr, secondErr); err != nil {
		owner.kill()
		return nil, err
	}
	both := alternating(first, second)
	both.atEnd = func() {
		second.Kill()
		owner.stop()
	}
	return both, nil
}

// alternating calls two plugins in turn. It does not end the second one.
func alternating(first, second *Plugin) *Plugin {
	turn := &turn{plugins: [2]*Plugin{first, second}}
	return &Plugin{
		Client: first.Client, data: turn, diagnostics: turn, resources: turn, log: first.log,
	}
}

// turn implements the services by two plugins in turn.
type turn struct {
	calls   atomic.Int64
	plugins [2]*Plugin
}

func (t *turn) next() *Plugin { return t.plugins[t.calls.Add(1)%2] }

func (t *turn) QueryData(
	ctx context.Context, request *pluginv2.QueryDataRequest, options ...grpc.CallOption,
) (*pluginv2.QueryDataResponse, error) {
	return t.next().data.QueryData(ctx, request, options...)
}

func (t *turn) QueryChunkedData(
	ctx context.Context, request *pluginv2.QueryChunkedDataRequest, options ...grpc.CallOption,
) (grpc.ServerStreamingClient[pluginv2.QueryChunkedDataResponse], error) {
	return t.next().data.QueryChunkedData(ctx, request, options...)
}

func (t *turn) CheckHealth(
	ctx context.Context, request *pluginv2.CheckHealthRequest, options ...grpc.CallOption,
) (*pluginv2.CheckHealthResponse, error) {
	return t.next().diagnostics.CheckHealth(ctx, request, options...)
}

func (t *turn) CollectMetrics(
	ctx context.Context, request *pluginv2.CollectMetricsRequest, options ...grpc.CallOption,
) (*pluginv2.CollectMetricsResponse, error) {
	return t.next().diagnostics.CollectMetrics(ctx, request, options...)
}

func (t *turn) CallResource(
	ctx context.Context, request *pluginv2.CallResourceRequest, options ...grpc.CallOption,
) (pluginv2.Resource_CallResourceClient, error) {
	return t.next().resources.CallResource(ctx, request, options...)
}
