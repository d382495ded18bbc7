// FakeBank: a bank in one process, for tests of its customers. One balance per account, sessions
// that remember every outcome, and faults on order: each call takes the next one from the list.
#pragma once

#include <grpcpp/server.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bank/v1/customer.grpc.pb.h"

namespace bank::testing {

struct Fault {
  enum class Kind {
    kNone,
    kRefuse,          // answers `status` and does nothing
    kLoseReply,       // does it, then answers `status`
    kHang,            // does nothing and answers when the caller has given up
    kHangAfterDoing,  // does it, answers when the caller has given up
    kAnswer,          // does nothing and answers `code`
    kAnswerOther,     // batches: does it, then answers as if another had been asked for
  };
  Kind kind = Kind::kNone;
  grpc::StatusCode status = grpc::StatusCode::UNAVAILABLE;
  v1::ResultCode code = v1::UNKNOWN_SESSION;
};

// What branches of one fake bank share.
struct Books {
  std::mutex mutex;
  std::map<std::string, int64_t> balances = {{"shared", 400}};
  std::map<std::pair<uint64_t, uint64_t>, v1::Reply> outcomes;  // by key
  uint64_t position = 1;
  std::vector<v1::Request> requests;  // all MsgDelivery calls that arrived, faulty ones too
  std::vector<v1::Batch> batches;     // all that arrived
  int lookups = 0;
};

// One branch: a server of its own on a free port.
class FakeBranch final : public v1::Customer::Service {
 public:
  FakeBranch(uint32_t id, std::shared_ptr<Books> books, bool serving = true);
  ~FakeBranch() override;

  std::string address() const;
  void SetServing(bool serving);
  void Stop();
  // The next calls (MsgDelivery and Lookup) get these faults, then none.
  void Order(std::vector<Fault> faults);
  void OrderForBatches(std::vector<Fault> faults);

  grpc::Status MsgDelivery(grpc::ServerContext* context, const v1::Request* request,
                           v1::Reply* reply) override;
  grpc::Status Stream(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::BatchReply, v1::Batch>* stream) override;
  grpc::Status OpenSession(grpc::ServerContext* context, const v1::OpenSessionRequest* request,
                           v1::OpenSessionReply* reply) override;
  grpc::Status Lookup(grpc::ServerContext* context, const v1::LookupRequest* request,
                      v1::Reply* reply) override;

 private:
  Fault Next(std::deque<Fault>& faults);
  // Does it unless its key was there before.
  void Do(const v1::Request& request, v1::Reply* reply);

  const uint32_t id_;
  const std::shared_ptr<Books> books_;
  std::deque<Fault> faults_;
  std::deque<Fault> batch_faults_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bank::testing
