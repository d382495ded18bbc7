#include "net/taken.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace bank::net {
namespace {

bool IsTaken(const addrinfo& at) {
  const int probe = ::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const int on = 1;
  // As gRPC's own sockets: connections that ended a moment ago are no hindrance.
  ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (at.ai_family == AF_INET6) ::setsockopt(probe, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  const bool taken = ::bind(probe, at.ai_addr, at.ai_addrlen) != 0 && errno == EADDRINUSE;
  ::close(probe);
  return taken;
}

bool IsTaken(const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof(at.sun_path)) return false;
  std::memcpy(at.sun_path, path.data(), path.size());
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const bool taken =
      ::connect(probe, reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0 || errno == EAGAIN;
  ::close(probe);
  return taken;
}

}  // namespace

absl::Status CheckNotTaken(const std::string& address) {
  bool taken = false;
  if (address.starts_with("unix:")) {
    taken = IsTaken(address.substr(5));
  } else {
    const size_t colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) {
      return absl::OkStatus();
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    for (const addrinfo* at = found; at != nullptr && !taken; at = at->ai_next)
      taken = IsTaken(*at);
  }
  if (!taken) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("cannot listen on {}: the port is in use", address));
}

}  // namespace bank::net
