package host

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// front answers the addresses of Grafana that the plugin's pages use, with the host page of
// frontend/browser and a running plugin. A data source exists as soon as a request names it.
type front struct {
	plugin *Plugin
	top    string // The folder of the repository.
	mutex  sync.Mutex
	saved  map[string]*savedSource
	// imported has the paths of the imported dashboards.
	imported map[string]bool
}

// savedSource has the settings of a data source, as Grafana's API names them.
type savedSource struct {
	ID               int               `json:"id"`
	UID              string            `json:"uid"`
	Name             string            `json:"name"`
	Type             string            `json:"type"`
	Version          int               `json:"version"`
	ReadOnly         bool              `json:"readOnly"`
	JSONData         map[string]any    `json:"jsonData"`
	SecureJSONFields map[string]bool   `json:"secureJsonFields"`
	SecureJSONData   map[string]string `json:"secureJsonData,omitempty"`
}

func newFront(plugin *Plugin, top string) *front {
	return &front{
		plugin: plugin, top: top, saved: map[string]*savedSource{}, imported: map[string]bool{},
	}
}

// source returns the data source with this uid. A uid that begins with "provisioned" is read-only.
func (f *front) source(uid string) *savedSource {
	source, ok := f.saved[uid]
	if !ok {
		source = &savedSource{
			ID: 1, UID: uid, Name: "Oura", Type: pluginID, Version: 1,
			ReadOnly:         strings.HasPrefix(uid, "provisioned"),
			JSONData:         map[string]any{},
			SecureJSONFields: map[string]bool{},
			SecureJSONData:   map[string]string{},
		}
		f.saved[uid] = source
	}
	return source
}

// role is the user's role, which the cookie "role" selects.
func role(request *http.Request) string {
	if cookie, err := request.Cookie("role"); err == nil {
		return cookie.Value
	}
	return "Admin"
}

// context is the context of a call.
func (f *front) context(request *http.Request, uid string) *pluginv2.PluginContext {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	source := f.source(uid)
	context := Datasource{Org: 1, UID: uid, Role: role(request)}.context()
	context.DataSourceInstanceSettings.JsonData, _ = json.Marshal(source.JSONData)
	context.DataSourceInstanceSettings.DecryptedSecureJsonData = source.SecureJSONData
	return context
}

// subPath is a second address of all pages, as that of a Grafana behind a reverse proxy.
const subPath = "/grafana"

// handler serves all pages at the root, and at the sub-path.
func (f *front) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", f.pages(""))
	mux.Handle(subPath+"/", http.StripPrefix(subPath, f.pages(subPath)))
	return mux
}

// pages serves the pages and routes of a Grafana at an address.
func (f *front) pages(root string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/datasources/uid/{uid}", f.settings)
	mux.HandleFunc("PUT /api/datasources/uid/{uid}", f.save)
	mux.HandleFunc("GET /api/datasources/uid/{uid}/health", f.health)
	mux.HandleFunc("/api/datasources/uid/{uid}/resources/{path...}", f.resource)
	mux.HandleFunc("POST /api/ds/query", f.query)
	mux.HandleFunc("GET /api/plugins/{id}/dashboards", f.dashboards)
	mux.HandleFunc("POST /api/dashboards/import", f.importDashboard)
	static := func(prefix string, folder ...string) {
		files := http.FileServer(http.Dir(filepath.Join(append([]string{f.top}, folder...)...)))
		mux.Handle("GET "+prefix, http.StripPrefix(prefix, files))
	}
	static("/public/plugins/"+pluginID+"/", "dist")
	static("/host/", "target", "browser", "host")
	icons := []string{"frontend", "node_modules", "@grafana", "ui", "dist", "public", "img"}
	static("/public/build/img/", icons...)
	static("/public/img/", icons...)
	mux.HandleFunc("/", func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if strings.HasPrefix(request.URL.Path, "/d/") {
			_, _ = io.WriteString(w, "<!doctype html><h1>Dashboard</h1>")
			return
		}
		_ = page.Execute(w, map[string]string{"Root": root, "Role": role(request)})
	})
	return mux
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<base href="{{.Root}}/">
<title>Host page</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="host/host.css"><style>body { margin: 0 }</style></head>
<body><div id="root"></div>
<script>
window.__grafana_public_path__ = {{.Root}} + "/public/";
window.grafanaBootData = { settings: { appSubUrl: {{.Root}}, featureToggles: {} }, user: { orgRole: {{.Role}} } };
</script>
<script src="host/host.js"></script></body>
</html>`))

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func (f *front) settings(w http.ResponseWriter, request *http.Request) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	shown := *f.source(request.PathValue("uid"))
	shown.SecureJSONData = nil
	reply(w, http.StatusOK, shown)
}

func (f *front) save(w http.ResponseWriter, request *http.Request) {
	var changed savedSource
	if err := json.NewDecoder(request.Body).Decode(&changed); err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	source := f.source(request.PathValue("uid"))
	source.Version++
	source.JSONData = changed.JSONData
	for name, value := range changed.SecureJSONData {
		source.SecureJSONData[name] = value
		source.SecureJSONFields[name] = value != ""
	}
	shown := *source
	shown.SecureJSONData = nil
	reply(w, http.StatusOK, map[string]any{"datasource": shown})
}

func (f *front) health(w http.ResponseWriter, request *http.Request) {
	context := f.context(request, request.PathValue("uid"))
	check := &pluginv2.CheckHealthRequest{PluginContext: context}
	health, err := f.plugin.diagnostics.CheckHealth(request.Context(), check)
	if err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"status": health.Status.String(), "message": health.Message,
	})
}

func (f *front) resource(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	path := request.PathValue("path")
	stream, err := f.plugin.resources.CallResource(request.Context(), &pluginv2.CallResourceRequest{
		PluginContext: f.context(request, request.PathValue("uid")),
		Method:        request.Method,
		Path:          path,
		Url:           path + "?" + request.URL.RawQuery,
		Headers:       contentType(request.Header.Get("Content-Type")),
		Body:          body,
	})
	if err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	for first := true; ; first = false {
		piece, err := stream.Recv()
		if err != nil {
			return
		}
		if first {
			for name, values := range piece.Headers {
				w.Header()[http.CanonicalHeaderKey(name)] = values.Values
			}
			w.WriteHeader(int(piece.Code))
		}
		_, _ = w.Write(piece.Body)
	}
}

func (f *front) query(w http.ResponseWriter, request *http.Request) {
	var asked struct {
		From, To string
		Queries  []json.RawMessage
	}
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	var from, to int64
	_, _ = fmt.Sscan(asked.From, &from)
	_, _ = fmt.Sscan(asked.To, &to)
	call := &pluginv2.QueryDataRequest{}
	for _, raw := range asked.Queries {
		var query struct {
			RefID, QueryType          string
			IntervalMs, MaxDataPoints int64
			Datasource                struct{ UID string }
		}
		if err := json.Unmarshal(raw, &query); err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
			return
		}
		call.PluginContext = f.context(request, query.Datasource.UID)
		call.Queries = append(call.Queries, &pluginv2.DataQuery{
			RefId: query.RefID, QueryType: query.QueryType, Json: raw,
			IntervalMS: query.IntervalMs, MaxDataPoints: query.MaxDataPoints,
			TimeRange: &pluginv2.TimeRange{FromEpochMS: from, ToEpochMS: to},
		})
	}
	responses, err := f.plugin.data.QueryData(request.Context(), call)
	if err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	// Grafana's own conversion: Arrow frames to its JSON.
	result := backend.NewQueryDataResponse()
	code := http.StatusOK
	for refID, response := range responses.Responses {
		frames, err := data.UnmarshalArrowFrames(response.Frames)
		answer := backend.DataResponse{Frames: frames, Error: err, Status: backend.Status(response.Status)}
		if response.Error != "" {
			answer.Error = fmt.Errorf("%s", response.Error)
			code = http.StatusBadRequest
		}
		result.Responses[refID] = answer
	}
	reply(w, code, result)
}

// dashboards lists the dashboards of plugin.json, as Grafana's Dashboards tab requests them.
func (f *front) dashboards(w http.ResponseWriter, _ *http.Request) {
	content, err := os.ReadFile(filepath.Join(f.top, "dist", "plugin.json"))
	if err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	var manifest struct {
		Includes []struct{ Type, Name, Path string }
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	listed := []map[string]any{}
	for _, include := range manifest.Includes {
		uid := strings.TrimSuffix(filepath.Base(include.Path), ".json")
		item := map[string]any{
			"uid": uid, "title": include.Name, "path": include.Path, "pluginId": pluginID,
			"imported": f.imported[include.Path], "importedUrl": "",
		}
		if f.imported[include.Path] {
			item["importedUrl"] = "/d/" + uid + "/" + uid
		}
		listed = append(listed, item)
	}
	reply(w, http.StatusOK, listed)
}

func (f *front) importDashboard(w http.ResponseWriter, request *http.Request) {
	var asked struct {
		PluginID, Path string
		Overwrite      bool
	}
	err := json.NewDecoder(request.Body).Decode(&asked)
	if err != nil || asked.PluginID != pluginID || asked.Overwrite {
		reply(w, http.StatusBadRequest, map[string]string{"message": "invalid import"})
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.imported[asked.Path] = true
	uid := strings.TrimSuffix(filepath.Base(asked.Path), ".json")
	reply(w, http.StatusOK, map[string]any{
		"uid": uid, "imported": true, "importedUrl": "/d/" + uid + "/" + uid,
	})
}
