#include "branch/peers/hello.h"

#include <algorithm>

#include "fmt/format.h"

namespace bank::peers {

v1::Hello MakeHello(uint64_t bank, BranchId self, BranchId receiver, uint64_t connection) {
  v1::Hello hello;
  hello.set_bank(bank);
  hello.set_branch(static_cast<uint32_t>(self.value));
  hello.set_receiver(static_cast<uint32_t>(receiver.value));
  hello.set_connection(connection);
  hello.set_protocol(kProtocol);
  return hello;
}

absl::Status CheckHello(const v1::Hello& hello, uint64_t bank, BranchId self) {
  if (hello.protocol() != kProtocol) {
    return absl::UnimplementedError(
        fmt::format("branch {} speaks version {} of the branches' protocol, branch {} version {}",
                    hello.branch(), hello.protocol(), self.value, kProtocol));
  }
  if (hello.bank() != bank) {
    return absl::FailedPreconditionError(fmt::format(
        "branch {} belongs to bank {:016x}, branch {} to bank {:016x}: were they founded with the "
        "same list of branches?",
        hello.branch(), hello.bank(), self.value, bank));
  }
  if (hello.receiver() != self.value || hello.branch() == 0 || hello.branch() == self.value) {
    return absl::FailedPreconditionError(
        fmt::format("branch {} wants to speak to branch {}, but this address is branch {}",
                    hello.branch(), hello.receiver(), self.value));
  }
  if (!IsConnectionNumber(hello.connection())) {
    return absl::InvalidArgumentError("bad field in a branch's hello: connection");
  }
  return absl::OkStatus();
}

absl::Status ToldToCaller(const absl::Status& refusal) {
  // What is wrong with a message, and that a newer stream came, is no secret.
  if (refusal.ok() || absl::IsInvalidArgument(refusal) || absl::IsAborted(refusal)) return refusal;
  if (absl::IsUnimplemented(refusal)) {
    return absl::UnimplementedError("another version of the branches' protocol is spoken here");
  }
  return absl::PermissionDeniedError("refused: the log of the branch at this address says why");
}

bool ConnectionOrder::Admit(uint64_t connection) {
  const uint32_t incarnation = IncarnationOf(connection);
  const uint32_t seen = IncarnationOf(current_);
  if (!IsConnectionNumber(connection)) return false;
  if (std::find(ended_.begin(), ended_.end(), incarnation) != ended_.end()) return false;
  if (current_ != 0 && incarnation == seen && connection <= current_) return false;
  if (current_ != 0 && incarnation != seen) {
    // One for each restart of the sender. A stream that is older than so many of them is long gone.
    constexpr size_t kRememberedMax = 1024;
    if (ended_.size() >= kRememberedMax) ended_.pop_front();
    ended_.push_back(seen);
  }
  current_ = connection;
  return true;
}

}  // namespace bank::peers
