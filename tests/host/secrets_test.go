package host

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// transcript is the standard error of one plugin process, with the log entries of go-plugin.
type transcript struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (t *transcript) Write(text []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.text.Write(text)
}

func (t *transcript) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.text.String()
}

// transcripts has the output of every plugin that these tests started, and the secrets to search
// it for.
var transcripts struct {
	mutex   sync.Mutex
	all     []*transcript
	secrets map[string]string
}

// newTranscript returns the transcript for a new plugin.
func newTranscript() *transcript {
	transcripts.mutex.Lock()
	defer transcripts.mutex.Unlock()
	added := &transcript{}
	transcripts.all = append(transcripts.all, added)
	return added
}

// addSecret adds a secret to search all transcripts for, including earlier ones.
func addSecret(name, secret string) {
	transcripts.mutex.Lock()
	defer transcripts.mutex.Unlock()
	if transcripts.secrets == nil {
		transcripts.secrets = map[string]string{"client secret": clientSecret}
	}
	transcripts.secrets[fmt.Sprintf("%s (%d)", name, len(transcripts.secrets))] = secret
}

// leakedSecrets returns the names of the secrets that a plugin wrote. All plugins must have ended.
func leakedSecrets() (leaked []string) {
	transcripts.mutex.Lock()
	defer transcripts.mutex.Unlock()
	for _, transcript := range transcripts.all {
		text := transcript.String()
		for name, secret := range transcripts.secrets {
			if strings.Contains(text, secret) {
				leaked = append(leaked, name)
			}
		}
	}
	return leaked
}
