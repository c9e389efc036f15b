package packaging

import (
	"archive/zip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Archive zips the files below folder under one top folder, which has the id of the plugin.
// Files that start with the name of the program have mode 0755, other files 0644.
func Archive(name, folder, pluginID, program string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	zipped := zip.NewWriter(file)
	addFile := func(inside string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(inside, program) {
			mode = 0o755
		}
		return add(zipped, filepath.Join(folder, inside), path.Join(pluginID, inside), mode)
	}
	err = fs.WalkDir(os.DirFS(folder), ".", addFile)
	return errors.Join(err, zipped.Close())
}

func add(zipped *zip.Writer, file, name string, mode fs.FileMode) error {
	source, err := os.Open(file)
	if err != nil {
		return err
	}
	defer source.Close()
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(mode)
	target, err := zipped.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return err
}

// Checksum writes the SHA-256 of a file next to it, in the format of `sha256sum --check`.
func Checksum(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	line := fmt.Sprintf("%x  %s\n", hash.Sum(nil), filepath.Base(name))
	return os.WriteFile(name+".sha256", []byte(line), 0o644)
}
