package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const pluginType = "ringside-oura-datasource"

// The data source that the variable "datasource" selects.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: ptr(pluginType), Uid: ptr("${datasource}")}
}

// One dashboard. Panels flow from left to right on 24 columns, in the order they are added.
type page struct {
	uid, title, description string
	from, to, refresh       string
	variables               []cog.Builder[dashboard.VariableModel]
	annotations             []annotation
	panels                  []dashboard.Panel
	x, y, height            uint32
	err                     error
}

func newPage(uid, title, description, from, to string) *page {
	return &page{uid: uid, title: title, description: description, from: from, to: to}
}

func (p *page) file() string { return p.uid + ".json" }

// Adds a panel of `width` columns and `height` rows of 30 pixels.
func (p *page) add(width, height uint32, spec panel) *page {
	built, err := spec.build()
	if err != nil {
		p.err = fmt.Errorf("panel %q: %w", spec.title, err)
		return p
	}
	if p.x+width > 24 {
		p.x, p.y, p.height = 0, p.y+p.height, 0
	}
	built.Id = ptr(uint32(len(p.panels) + 1))
	built.GridPos = &dashboard.GridPos{X: p.x, Y: p.y, W: width, H: height}
	p.x += width
	p.height = max(p.height, height)
	p.panels = append(p.panels, built)
	return p
}

func (p *page) with(variables ...cog.Builder[dashboard.VariableModel]) *page {
	p.variables = append(p.variables, variables...)
	return p
}

func (p *page) mark(annotations ...annotation) *page {
	p.annotations = append(p.annotations, annotations...)
	return p
}

func (p *page) build() (dashboard.Dashboard, error) {
	if p.err != nil {
		return dashboard.Dashboard{}, p.err
	}
	builder := dashboard.NewDashboardBuilder(p.title).
		Uid(p.uid).
		Description(p.description).
		Tags([]string{"oura"}).
		Editable().
		Timezone("").
		WeekStart("monday").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time(p.from, p.to).
		Refresh(p.refresh).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Person").Type(pluginType))
	for _, variable := range p.variables {
		builder.WithVariable(variable)
	}
	for _, link := range links(p.uid) {
		builder.Link(link)
	}
	built, err := builder.Build()
	if err != nil {
		return built, err
	}
	for index := range built.Links {
		// The default hides links in a menu.
		built.Links[index].Placement = nil
	}
	for _, panel := range p.panels {
		built.Panels = append(built.Panels, dashboard.PanelOrRowPanel{Panel: ptr(panel)})
	}
	for _, annotation := range p.annotations {
		built.Annotations.List = append(built.Annotations.List, annotation.build())
	}
	return built, nil
}

// The dashboards, and whether a link keeps the time range: Today and Night have ranges of their own.
var linked = []struct {
	uid, title string
	keepTime   bool
}{
	{"oura-today", "Today", false},
	{"oura-overview", "Overview", true},
	{"oura-sleep", "Sleep", true},
	{"oura-night", "Night", false},
	{"oura-heart", "Heart", true},
	{"oura-activity", "Activity", true},
	{"oura-stress", "Stress", true},
	{"oura-insights", "Insights", true},
	{"oura-data", "Data", true},
}

// Links to all dashboards. A range of Today or Night is not carried to the others.
func links(from string) []cog.Builder[dashboard.DashboardLink] {
	var links []cog.Builder[dashboard.DashboardLink]
	hasOwnTime := from == "oura-today" || from == "oura-night"
	for _, target := range linked {
		links = append(links, dashboard.NewDashboardLinkBuilder(target.title).
			Type(dashboard.DashboardLinkTypeLink).
			Url("/d/"+target.uid).
			IncludeVars(true).
			KeepTime(target.keepTime && !hasOwnTime))
	}
	return links
}

func ptr[T any](value T) *T { return &value }
