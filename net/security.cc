#include "net/security.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "common/decimal.h"
#include "common/flags.h"
#include "common/one_line.h"

namespace bank::net {
namespace {

struct Pem {
  std::string certificate;
  std::string key;
  std::string authority;
};

absl::StatusOr<std::string> ReadPem(const char* flag, const std::string& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("TLS needs --tls-cert, --tls-key and --tls-ca together; {} is missing", flag));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.find("-----BEGIN ") == std::string::npos) {
    return absl::InvalidArgumentError(
        fmt::format("{}: cannot read a PEM file from '{}'", flag, path));
  }
  return text;
}

absl::StatusOr<Pem> ReadAll(const TlsFiles& files) {
  auto certificate = ReadPem("--tls-cert", files.certificate);
  if (!certificate.ok()) return certificate.status();
  auto key = ReadPem("--tls-key", files.key);
  if (!key.ok()) return key.status();
  auto authority = ReadPem("--tls-ca", files.authority);
  if (!authority.ok()) return authority.status();
  return Pem{*std::move(certificate), *std::move(key), *std::move(authority)};
}

absl::Status CheckPlaintext(const char* verb, const std::string& address) {
  auto host = HostOf(address);
  if (!host.ok()) return host.status();
  if (IsLoopbackHost(*host)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("will not {} '{}' in plaintext: beyond loopback give --tls-cert, --tls-key and "
                  "--tls-ca (mutual TLS)",
                  verb, address));
}

}  // namespace

void AddTlsFlags(FlagSet& flags, TlsFiles& files) {
  const char* group = "Mutual TLS (needed beyond loopback)";
  flags.Add("--tls-cert", files.certificate, "this side's certificate, PEM")
      .Variable("BANK_TLS_CERT")
      .ShowType("FILE")
      .Group(group);
  flags.Add("--tls-key", files.key, "its private key, PEM")
      .Variable("BANK_TLS_KEY")
      .ShowType("FILE")
      .Group(group);
  flags.Add("--tls-ca", files.authority, "the authority that signed both sides, PEM")
      .Variable("BANK_TLS_CA")
      .ShowType("FILE")
      .Group(group);
}

absl::StatusOr<std::string> HostOf(std::string_view address) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not an address: expected host:port", OneLine(address)));
  };
  if (address.starts_with("unix:")) {
    if (address.size() == 5) return bad();
    return std::string("unix");
  }
  std::string_view host;
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad();
  if (!ParseDecimal<uint16_t>(address.substr(colon + 1))) return bad();
  host = address.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return bad();
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":/ []") != std::string_view::npos) {
    return bad();
  }
  return std::string(host);
}

bool IsLoopbackHost(std::string_view host) {
  if (host == "localhost" || host == "unix") return true;
  const std::string text(host);
  in_addr four{};
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  in6_addr six{};
  return inet_pton(AF_INET6, text.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const std::string& listen_address, const TlsFiles& files) {
  if (!files.enabled()) {
    if (absl::Status allowed = CheckPlaintext("listen on", listen_address); !allowed.ok()) {
      return allowed;
    }
    return grpc::InsecureServerCredentials();
  }
  if (auto host = HostOf(listen_address); !host.ok()) return host.status();
  auto pem = ReadAll(files);
  if (!pem.ok()) return pem.status();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = std::move(pem->authority);
  options.pem_key_cert_pairs.push_back({std::move(pem->key), std::move(pem->certificate)});
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const std::string& dial_address, const TlsFiles& files) {
  if (!files.enabled()) {
    if (absl::Status allowed = CheckPlaintext("dial", dial_address); !allowed.ok()) return allowed;
    return grpc::InsecureChannelCredentials();
  }
  if (auto host = HostOf(dial_address); !host.ok()) return host.status();
  auto pem = ReadAll(files);
  if (!pem.ok()) return pem.status();
  return grpc::SslCredentials({.pem_root_certs = std::move(pem->authority),
                               .pem_private_key = std::move(pem->key),
                               .pem_cert_chain = std::move(pem->certificate)});
}

}  // namespace bank::net
