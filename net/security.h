// Who may listen and dial where: the one place for loopback and credential rules.
//
// Plaintext is accepted on loopback only. Any other listen or dial address needs mutual TLS: a
// certificate, its key, and the authority that signed the certificates of both sides. With TLS a
// client without a certificate of that authority is turned away by the handshake.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bank {
class FlagSet;
}

namespace bank::net {

// PEM files. All three or none.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string authority;

  bool enabled() const { return !certificate.empty() || !key.empty() || !authority.empty(); }
};

// Adds --tls-cert, --tls-key and --tls-ca (environment: BANK_TLS_CERT, ...). `files` must outlive
// the parsing.
void AddTlsFlags(FlagSet& flags, TlsFiles& files);

// The host of host:port, [host]:port or unix:path ("unix"); InvalidArgument if it is none of these
// or the port is not a number from 0 to 65535.
absl::StatusOr<std::string> HostOf(std::string_view address);

// True for localhost, 127.0.0.0/8, ::1 and unix sockets. Names other than localhost are never
// resolved here: what they mean may change after the check.
bool IsLoopbackHost(std::string_view host);

// InvalidArgument: not an address, or TLS files that are missing, unreadable or incomplete.
// PermissionDenied: plaintext beyond loopback. Both with one line that says what to do.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const std::string& listen_address, const TlsFiles& files);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const std::string& dial_address, const TlsFiles& files);

}  // namespace bank::net
