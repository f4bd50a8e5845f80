package main

import (
	"errors"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

func startEtcd(dir string) (*embed.Etcd, string, error) {
	local, _ := url.Parse("http://127.0.0.1:0") // port 0: the kernel picks
	wal.SegmentSizeBytes = 4 << 20              // it allocates two segments at once, 64 MiB each by default
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.ListenPeerUrls = []url.URL{*local}
	cfg.ListenClientUrls = []url.URL{*local}
	cfg.AdvertisePeerUrls = []url.URL{*local} // one member: nobody dials it
	cfg.AdvertiseClientUrls = []url.URL{*local}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.UnsafeNoFsync = true
	cfg.TickMs, cfg.ElectionMs = 20, 200 // one member: elect itself soon
	cfg.LogLevel = "panic"               // at "error" it logs its own listeners closing at each stop; failures come as errors anyway
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, "", err
	}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		return nil, "", err
	case <-time.After(30 * time.Second):
		e.Close()
		return nil, "", errors.New("not ready after 30s")
	}
	return e, "http://" + e.Clients[0].Addr().String(), nil
}
