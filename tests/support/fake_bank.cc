#include "tests/support/fake_bank.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <thread>

namespace bank::testing {
namespace {

constexpr char kService[] = "bank.v1.Customer";

// Returns when the caller has given up.
void Hang(grpc::ServerContext* context) {
  while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace

FakeBranch::FakeBranch(uint32_t id, std::shared_ptr<Books> books, bool serving)
    : id_(id), books_(std::move(books)) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  SetServing(serving);
}

FakeBranch::~FakeBranch() { Stop(); }

void FakeBranch::Stop() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::string FakeBranch::address() const { return "127.0.0.1:" + std::to_string(port_); }

void FakeBranch::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(kService, serving);
}

void FakeBranch::Order(std::vector<Fault> faults) {
  std::lock_guard lock(books_->mutex);
  faults_.assign(faults.begin(), faults.end());
}

void FakeBranch::OrderForBatches(std::vector<Fault> faults) {
  std::lock_guard lock(books_->mutex);
  batch_faults_.assign(faults.begin(), faults.end());
}

Fault FakeBranch::Next(std::deque<Fault>& faults) {
  if (faults.empty()) return {};
  const Fault fault = faults.front();
  faults.pop_front();
  return fault;
}

void FakeBranch::Do(const v1::Request& request, v1::Reply* reply) {
  const std::pair key(request.session(), request.sequence());
  reply->set_branch(id_);
  const std::string account = request.account().empty() ? "shared" : request.account();
  auto found = books_->balances.find(account);
  if (request.request() == "query") {
    reply->set_code(found == books_->balances.end() ? v1::UNKNOWN_ACCOUNT : v1::OK);
    reply->set_success(reply->code() == v1::OK);
    reply->set_money(reply->success() ? found->second : 0);
    reply->set_position(books_->position);
    return;
  }
  if (auto before = books_->outcomes.find(key);
      key.first != 0 && before != books_->outcomes.end()) {
    *reply = before->second;
    reply->set_replayed(true);
    return;
  }
  v1::ResultCode code = v1::OK;
  if (request.request() == "open") {
    if (found != books_->balances.end()) code = v1::ACCOUNT_EXISTS;
    if (code == v1::OK) found = books_->balances.emplace(account, request.money()).first;
  } else if (found == books_->balances.end() ||
             (request.request() == "transfer" &&
              !books_->balances.contains(request.to_account()))) {
    code = v1::UNKNOWN_ACCOUNT;
  } else if (request.money() <= 0) {
    code = v1::BAD_AMOUNT;
  } else if (request.request() == "deposit") {
    found->second += request.money();
  } else if (found->second < request.money()) {
    code = v1::INSUFFICIENT_FUNDS;
  } else {
    found->second -= request.money();
    if (request.request() == "transfer") books_->balances[request.to_account()] += request.money();
  }
  reply->set_code(code);
  reply->set_success(code == v1::OK);
  reply->set_money(found == books_->balances.end() ? 0 : found->second);
  reply->set_position(++books_->position);
  if (key.first != 0) books_->outcomes[key] = *reply;
}

grpc::Status FakeBranch::MsgDelivery(grpc::ServerContext* context, const v1::Request* request,
                                     v1::Reply* reply) {
  Fault fault;
  {
    std::lock_guard lock(books_->mutex);
    books_->requests.push_back(*request);
    fault = Next(faults_);
    const bool done = fault.kind == Fault::Kind::kNone || fault.kind == Fault::Kind::kLoseReply ||
                      fault.kind == Fault::Kind::kHangAfterDoing;
    if (done) Do(*request, reply);
    if (fault.kind == Fault::Kind::kAnswer) reply->set_code(fault.code);
  }
  switch (fault.kind) {
    case Fault::Kind::kNone:
    case Fault::Kind::kAnswer:
    case Fault::Kind::kAnswerOther:
      return grpc::Status::OK;
    case Fault::Kind::kRefuse:
    case Fault::Kind::kLoseReply:
      return grpc::Status(fault.status, "on order");
    case Fault::Kind::kHang:
    case Fault::Kind::kHangAfterDoing:
      Hang(context);
      return grpc::Status::CANCELLED;
  }
  return grpc::Status::OK;
}

grpc::Status FakeBranch::Stream(grpc::ServerContext*,
                                grpc::ServerReaderWriter<v1::BatchReply, v1::Batch>* stream) {
  static constexpr const char* kNames[] = {"query", "deposit", "withdraw", "open", "transfer"};
  v1::Batch batch;
  while (stream->Read(&batch)) {
    v1::BatchReply answer;
    Fault fault;
    {
      std::lock_guard lock(books_->mutex);
      books_->batches.push_back(batch);
      fault = Next(batch_faults_);
      int64_t last_index = 0;
      for (int i = 0; fault.kind != Fault::Kind::kRefuse && i < batch.kind_size(); ++i) {
        auto name = [&](const auto& column) {
          const uint32_t index = column.empty() ? 0 : column[i];
          return batch.account_name().empty() ? std::string("shared") : batch.account_name(index);
        };
        v1::Request request;
        request.set_request(kNames[batch.kind(i)]);
        request.set_money(batch.money(i));
        request.set_account(name(batch.account()));
        request.set_to_account(name(batch.to_account()));
        request.set_session(batch.session());
        request.set_sequence(batch.first_sequence() + i);
        v1::Reply reply;
        if (fault.kind == Fault::Kind::kAnswer) {
          reply.set_code(fault.code);
        } else {
          Do(request, &reply);
        }
        const auto index = static_cast<int64_t>(reply.position());
        if (i == 0) answer.set_first_position(index);
        answer.add_code(reply.code());
        answer.add_money(reply.money());
        answer.add_position_step(i == 0 ? 0 : index - last_index);
        last_index = index;
      }
    }
    const bool other = fault.kind == Fault::Kind::kAnswerOther;
    answer.set_first_sequence(batch.first_sequence() + (other ? 1 : 0));
    if (fault.kind == Fault::Kind::kLoseReply) return grpc::Status(fault.status, "on order");
    if (fault.kind == Fault::Kind::kRefuse) answer.set_fate(v1::BatchReply::NOT_APPLIED);
    if (!stream->Write(answer)) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeBranch::OpenSession(grpc::ServerContext*, const v1::OpenSessionRequest*,
                                     v1::OpenSessionReply* reply) {
  std::lock_guard lock(books_->mutex);
  reply->set_session(++books_->position);
  reply->set_window(16'384);
  reply->set_position(books_->position);
  return grpc::Status::OK;
}

grpc::Status FakeBranch::Lookup(grpc::ServerContext*, const v1::LookupRequest* request,
                                v1::Reply* reply) {
  std::lock_guard lock(books_->mutex);
  ++books_->lookups;
  const Fault fault = Next(faults_);
  if (fault.kind != Fault::Kind::kNone) return grpc::Status(fault.status, "on order");
  const auto found = books_->outcomes.find({request->session(), request->sequence()});
  if (found != books_->outcomes.end()) {
    *reply = found->second;
    reply->set_replayed(true);
  } else {
    reply->set_code(v1::NOT_APPLIED);
    reply->set_branch(id_);
  }
  return grpc::Status::OK;
}

}  // namespace bank::testing
