// Kubernetes' own code, asked line by line: each line of standard input is a question in JSON, each line of standard output
// the answer to it. The argument says what is asked: `manifests` what a text holds, `pods` what is forbidden in a pod.
package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log"
	"os"
)

func main() {
	answer := map[string]func(*json.Decoder) (any, error){"manifests": manifests, "pods": pods()}[os.Args[1]]
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for {
		answered, err := answer(in)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(answered); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
