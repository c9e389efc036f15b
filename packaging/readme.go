package packaging

import (
	"regexp"
	"strings"
)

// Repository is the address of the source code.
const Repository = "https://github.com/ringside/ringside-oura-datasource"

var relativeLink = regexp.MustCompile(`\]\(([^)#:][^):]*)\)`)

// AbsoluteLinks points the relative links of a document in the repository's top folder to the
// repository. Grafana shows the README without the files around it.
func AbsoluteLinks(document, version string) string {
	return relativeLink.ReplaceAllStringFunc(document, func(link string) string {
		target := strings.TrimSuffix(strings.TrimPrefix(link, "]("), ")")
		kind := "blob"
		if strings.HasSuffix(target, ".png") {
			kind = "raw"
		}
		return "](" + Repository + "/" + kind + "/v" + version + "/" + target + ")"
	})
}
