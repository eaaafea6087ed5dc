package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/server/config"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
)

// accessFlags say who reaches the service, how, and how often.
type accessFlags struct {
	TLSCert     string `name:"tls-cert" type:"path" placeholder:"FILE" group:"Access" help:"Certificate of the gRPC and the HTTP port, in PEM. A changed file is taken without a restart."`
	TLSKey      string `name:"tls-key" type:"path" placeholder:"FILE" group:"Access" help:"Its private key, in PEM."`
	TLSClientCA string `name:"tls-client-ca" type:"path" placeholder:"FILE" group:"Access" help:"Authorities, in PEM, whose certificates every client must show (mTLS)."`
	Plaintext   bool   `group:"Access" help:"Listen beyond loopback without TLS: something before the service encrypts, or the network is trusted."`

	CORSOrigin      []string      `name:"cors-origin" placeholder:"URL,..." reload:"" group:"Access" help:"Web origins whose pages may call the HTTP port, such as https://shop.example. Not set: none may."`
	TenantRequests  float64       `default:"0" zero:"" min:"0.001" max:"1000000000" reload:"" group:"Quotas" help:"Calls a second of each tenant, and messages of streams. 0: no bound."`
	TenantEvents    float64       `default:"0" zero:"" min:"0.001" max:"1000000000" reload:"" group:"Quotas" help:"Events and catalog rows a second of each tenant. 0: no bound."`
	TenantBytes     config.Size   `default:"0" zero:"" min:"1KiB" max:"1TiB" reload:"" group:"Quotas" help:"Bytes a second that each tenant sends. 0: no bound."`
	TenantQuota     []string      `placeholder:"NAME=REQUESTS:EVENTS:BYTES,..." reload:"" group:"Quotas" help:"Quotas of single tenants, such as alpha=500:2000:1000000. 0: that of all tenants."`
	KeyRequests     float64       `default:"0" zero:"" min:"0.001" max:"1000000000" reload:"" group:"Quotas" help:"Calls a second of each key without a quota of its own. 0: no bound but the tenant's."`
	KeyEvents       float64       `default:"0" zero:"" min:"0.001" max:"1000000000" reload:"" group:"Quotas" help:"Events and catalog rows a second of each such key. 0: no bound but the tenant's."`
	KeyBytes        config.Size   `default:"0" zero:"" min:"1KiB" max:"1TiB" reload:"" group:"Quotas" help:"Bytes a second that each such key sends. 0: no bound but the tenant's."`
	KeyCalls        int           `default:"4096" zero:"" min:"1" max:"10000000" reload:"" group:"Quotas" help:"Calls of one key under way at once, streams included. 0: no bound."`
	RefusalPause    time.Duration `default:"20ms" zero:"" min:"1ms" max:"1s" group:"Quotas" help:"How long a gRPC connection is not read after a call on it was refused for a quota or for its key, unless other keys use it, too. What comes meanwhile is answered together. 0: not at all."`
	BrowserRequests float64       `default:"100" min:"0.001" max:"1000000000" reload:"" group:"Quotas" help:"Calls a second of each key of role browser without a quota of its own."`
	BrowserEvents   float64       `default:"500" min:"0.001" max:"1000000000" reload:"" group:"Quotas" help:"Events a second of each such key."`
	BrowserBytes    config.Size   `default:"256KiB" min:"1KiB" max:"1TiB" reload:"" group:"Quotas" help:"Bytes a second that each such key sends."`

	MaxPerHost int `default:"0" zero:"" min:"1" max:"1000000" group:"Limits of the network" help:"Connections of a port from one address; further ones are closed at once. 0: a quarter of max-connections."`
}

// check says what no range of one flag tells.
func (a *accessFlags) check() error {
	_, err := a.tenantQuotas()
	return err
}

// put hands the flags, which were checked, to the service.
func (a *accessFlags) put(c *service.Config) {
	tenants, _ := a.tenantQuotas()
	c.Quotas = quota.Settings{
		Tenant:  record.Quota{Requests: a.TenantRequests, Events: a.TenantEvents, Bytes: float64(a.TenantBytes)},
		Tenants: tenants,
		Key:     record.Quota{Requests: a.KeyRequests, Events: a.KeyEvents, Bytes: float64(a.KeyBytes)},
		Browser: record.Quota{Requests: a.BrowserRequests, Events: a.BrowserEvents, Bytes: float64(a.BrowserBytes)},

		KeyCalls: a.KeyCalls,
	}
	c.TLS = service.TLS{Cert: a.TLSCert, Key: a.TLSKey, ClientCA: a.TLSClientCA}
	c.RefusalPause = a.RefusalPause
	c.Plaintext, c.Origins, c.MaxPerHost = a.Plaintext, a.CORSOrigin, a.MaxPerHost
}

// tenantQuotas reads NAME=REQUESTS:EVENTS:BYTES.
func (a *accessFlags) tenantQuotas() (map[string]record.Quota, error) {
	quotas := map[string]record.Quota{}
	for _, text := range a.TenantQuota {
		name, bounds, ok := strings.Cut(text, "=")
		parts := strings.Split(bounds, ":")
		if !ok || name == "" || len(parts) != 3 {
			return nil, fmt.Errorf("--tenant-quota %q: give NAME=REQUESTS:EVENTS:BYTES, such as alpha=500:2000:1000000", text)
		}
		var n [3]float64
		for i, part := range parts {
			var err error
			if n[i], err = strconv.ParseFloat(part, 64); err != nil || !(n[i] >= 0.001 && n[i] <= 1e12 || n[i] == 0) {
				return nil, fmt.Errorf("--tenant-quota %q: %q is no bound: give 0.001 to 1e12 a second, or 0 for that of all tenants", text, part)
			}
		}
		if _, twice := quotas[name]; twice {
			return nil, fmt.Errorf("--tenant-quota names %q twice", name)
		}
		quotas[name] = record.Quota{Requests: n[0], Events: n[1], Bytes: n[2]}
	}
	return quotas, nil
}
