package packaging

import "encoding/json"

// BillFile is the name of the bill of materials in the plugin folder.
const BillFile = "sbom.cdx.json"

type component struct {
	Type     string    `json:"type"`
	Ref      string    `json:"bom-ref,omitempty"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	URL      string    `json:"purl,omitempty"`
	Licenses []license `json:"licenses,omitempty"`
}

type license struct {
	Expression string `json:"expression"`
}

// Bill returns the bill of materials of the plugin in the format CycloneDX 1.6. The frontend uses
// Grafana's copies of its libraries, so the plugin has no component from npm.
func Bill(plugin, version string, libraries []Library) ([]byte, error) {
	components := make([]component, 0, len(libraries))
	for _, library := range libraries {
		found := component{Type: "library", Ref: library.URL, Name: library.Name,
			Version: library.Version, URL: library.URL}
		if library.License != "" {
			found.Licenses = []license{{library.License}}
		}
		components = append(components, found)
	}
	type metadata struct {
		Component component `json:"component"`
	}
	return json.MarshalIndent(struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}{
		"CycloneDX", "1.6", 1,
		metadata{component{Type: "application", Name: plugin, Version: version,
			Licenses: []license{{"Apache-2.0"}}}},
		components,
	}, "", "  ")
}
