// Whether somebody else listens at an address.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace bank::net {

// Unavailable if another socket listens at one of the addresses that `address` stands for
// (localhost is 127.0.0.1 and ::1), with one line. OK otherwise, also where one cannot listen for
// another reason, which whoever listens will be told. A look only: it takes nothing, and somebody
// may come between it and listening. host:port, [host]:port or unix:path.
//
// Why, when listening itself fails at a port in use: gRPC is content with one of several addresses,
// and takes a unix socket's path away from whoever listens there.
absl::Status CheckNotTaken(const std::string& address);

}  // namespace bank::net
