package host

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// transcript is all that one plugin process wrote on stderr, and what was said about it.
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

// heard has the transcripts of every plugin that these tests started, and the secrets that went through them.
var heard struct {
	mutex       sync.Mutex
	transcripts []*transcript
	secrets     map[string]string
}

// listen gives a transcript to a plugin about to start.
func listen() *transcript {
	heard.mutex.Lock()
	defer heard.mutex.Unlock()
	begun := &transcript{}
	heard.transcripts = append(heard.transcripts, begun)
	return begun
}

// keepSecret has a secret looked for in every transcript, earlier ones included.
func keepSecret(what, secret string) {
	heard.mutex.Lock()
	defer heard.mutex.Unlock()
	if heard.secrets == nil {
		heard.secrets = map[string]string{"client secret": clientSecret}
	}
	heard.secrets[fmt.Sprintf("%s (%d)", what, len(heard.secrets))] = secret
}

// tattled says which secrets any plugin wrote, once all of them have ended.
func tattled() (told []string) {
	heard.mutex.Lock()
	defer heard.mutex.Unlock()
	for _, transcript := range heard.transcripts {
		text := transcript.String()
		for what, secret := range heard.secrets {
			if strings.Contains(text, secret) {
				told = append(told, what)
			}
		}
	}
	return told
}
