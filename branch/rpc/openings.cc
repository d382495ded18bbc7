#include "branch/rpc/openings.h"

#include <string>

#include "branch/ledger/digest.h"

namespace bank::rpc {

Openings::Openings(Options options, BranchId branch, const Clock& clock, Entropy& entropy)
    : options_(options), salt_(entropy.Draw() ^ branch.value), clock_(clock) {}

Openings::Opener Openings::OpenerOf(const grpc::CallbackServerContext& call) const {
  std::string certificate;
  const auto auth = call.auth_context();
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    // Names of the host are often the same in all certificates of a bank; the common name is not.
    for (const char* const property : {"x509_common_name", "x509_subject_alternative_name"}) {
      for (const grpc::string_ref& name : auth->FindPropertyValues(property)) {
        certificate.append(name.data(), name.size()).push_back('\0');
      }
    }
  }
  return OpenerOf(certificate, call.peer());
}

Openings::Opener Openings::OpenerOf(std::string_view certificate,
                                    std::string_view connection) const {
  if (certificate.empty()) {
    return {SessionOwner(ledger::DigestBytes(connection, salt_)), options_.connection_max};
  }
  return {SessionOwner(ledger::DigestBytes(certificate, 0)), options_.certificate_max};
}

bool Openings::Admit(const Opener& opener) {
  const int64_t now_ns = clock_.NowNs();
  absl::MutexLock lock(&mutex_);
  while (!begun_.empty() && now_ns - begun_.front().ns >= options_.span_ns) ForgetOldest();
  const auto [found, is_new] = opened_.try_emplace(opener.owner, 0);
  if (is_new) begun_.push_back({now_ns, opener.owner});
  if (found->second >= opener.sessions_max) return false;
  ++found->second;
  if (begun_.size() > options_.owners_max) ForgetOldest();
  return true;
}

void Openings::ForgetOldest() {
  opened_.erase(begun_.front().owner);
  begun_.pop_front();
}

}  // namespace bank::rpc
