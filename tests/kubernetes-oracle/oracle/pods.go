package main

import (
	"encoding/json"
	"log"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// A pod, a level and a minor version; the answer is the ids of the checks that forbid the pod.
func pods() func(*json.Decoder) (any, error) {
	checks := policy.DefaultChecks()
	for i := range checks {
		name(&checks[i])
	}
	evaluator, err := policy.NewEvaluator(checks, nil)
	if err != nil {
		log.Fatal(err)
	}
	return func(in *json.Decoder) (any, error) {
		var asked struct {
			Level string
			Minor int
			Pod   corev1.Pod
		}
		if err := in.Decode(&asked); err != nil {
			return nil, err
		}
		version := api.LevelVersion{Level: api.Level(asked.Level), Version: api.MajorMinorVersion(1, asked.Minor)}
		ids := []string{}
		for _, result := range evaluator.EvaluatePod(version, &asked.Pod.ObjectMeta, &asked.Pod.Spec) {
			if !result.Allowed {
				ids = append(ids, result.ForbiddenReason)
			}
		}
		return ids, nil
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
