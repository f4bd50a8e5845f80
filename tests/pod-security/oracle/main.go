// Judges pods as the server does: for each line of standard input, one JSON object with a level, a minor version and a pod,
// it writes one line, the ids of the checks of k8s.io/pod-security-admission that forbid the pod, as a JSON array.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

type question struct {
	Level string
	Minor int
	Pod   corev1.Pod
}

func main() {
	checks := policy.DefaultChecks()
	for i := range checks {
		name(&checks[i])
	}
	evaluator, err := policy.NewEvaluator(checks, nil)
	if err != nil {
		log.Fatal(err)
	}
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for in.More() {
		var asked question
		if err := in.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		version := api.LevelVersion{Level: api.Level(asked.Level), Version: api.MajorMinorVersion(1, asked.Minor)}
		ids := []string{}
		for _, result := range evaluator.EvaluatePod(version, &asked.Pod.ObjectMeta, &asked.Pod.Spec) {
			if !result.Allowed {
				ids = append(ids, result.ForbiddenReason)
			}
		}
		if err := answers.Encode(ids); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// A result doesn't say whose it is, so each check says its id for a reason.
func name(check *policy.Check) {
	for i := range check.Versions {
		judge := check.Versions[i].CheckPod
		check.Versions[i].CheckPod = func(metadata *metav1.ObjectMeta, spec *corev1.PodSpec) policy.CheckResult {
			result := judge(metadata, spec)
			result.ForbiddenReason = string(check.ID)
			return result
		}
	}
}
