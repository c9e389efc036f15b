package packaging

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// settingsRows are the names in the table of the reference, which the Rust tests compare with the
// code.
func settingsRows(t *testing.T) []string {
	t.Helper()
	reference, err := os.ReadFile(filepath.Join("..", "docs", "reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(reference), "\n## Settings of a data source\n")
	if !found {
		t.Fatal("no section for the settings")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)`").FindAllStringSubmatch(section, -1) {
		names = append(names, row[1])
	}
	slices.Sort(names)
	return names
}

func TestSettingsSchemaDescribesEverySetting(t *testing.T) {
	description, err := os.ReadFile(filepath.Join("schema", "dsconfig.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, key := range regexp.MustCompile(`"key": "(\w+)"`).FindAllSubmatch(description, -1) {
		keys = append(keys, string(key[1]))
	}
	slices.Sort(keys)
	if want := settingsRows(t); !slices.Equal(keys, want) {
		t.Errorf("dsconfig.json has %v, the reference %v", keys, want)
	}

	schema, err := Schema(description)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("schema", "v0alpha1.json")
	if os.Getenv("UPDATE_SCHEMA") != "" {
		if err := os.WriteFile(name, schema, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(stored, schema) {
		t.Errorf("%s is out of date (%v): UPDATE_SCHEMA=1 go test ./packaging", name, err)
	}
	if strings.Count(string(schema), "clientSecret") != 1 {
		t.Error("the secret belongs to the secure values only")
	}
}

// A skill has the name of its folder and a description, which a model reads to choose it.
func TestSkillsHaveNameAndDescription(t *testing.T) {
	skills, err := filepath.Glob(filepath.Join("..", "skills", "*", "SKILL.md"))
	if err != nil || len(skills) != 2 {
		t.Fatalf("skills: %v, %v", skills, err)
	}
	for _, skill := range skills {
		content, err := os.ReadFile(skill)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(skill))
		head := regexp.MustCompile(`(?s)\A---\nname: (\S+)\ndescription: ([^\n]{80,1000})\n---\n`)
		found := head.FindSubmatch(content)
		if found == nil || string(found[1]) != name {
			t.Errorf("%s: invalid front matter", skill)
		}
	}
}
