// The ceiling of the benchmark: a server that speaks the bank's messages and does nothing.
//
// It answers MsgDelivery and Stream at once, inside the reaction, with replies of the same shape as
// a branch's, so that `customer load` measures it with the very client it measures a bank with.
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <csignal>
#include <deque>
#include <mutex>

#include "bank/v1/customer.grpc.pb.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/program.h"
#include "net/runtime.h"

namespace bank {
namespace {

// Echoes batches: one reply each, in order.
class EchoStream final : public grpc::ServerBidiReactor<v1::Batch, v1::BatchReply> {
 public:
  EchoStream() { StartRead(&batch_); }

  void OnReadDone(bool ok) override {
    std::lock_guard lock(mutex_);
    if (!ok) {
      reading_ = false;
      FinishWhenIdle();
      return;
    }
    v1::BatchReply reply;
    const int size = batch_.kind_size();
    reply.set_first_position(1);
    reply.set_first_sequence(batch_.first_sequence());
    reply.mutable_code()->Resize(size, v1::OK);
    reply.mutable_money()->Resize(size, 400);
    reply.mutable_position_step()->Resize(size, 1);
    replies_.push_back(std::move(reply));
    if (replies_.size() == 1) StartWrite(&replies_.front());
    StartRead(&batch_);
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    replies_.pop_front();
    if (!ok) replies_.clear();
    if (!replies_.empty()) StartWrite(&replies_.front());
    FinishWhenIdle();
  }

  void OnDone() override { delete this; }

 private:
  void FinishWhenIdle() {
    if (!reading_ && replies_.empty() && !finished_) {
      finished_ = true;
      Finish(grpc::Status::OK);
    }
  }

  std::mutex mutex_;  // reads and writes complete on different threads
  v1::Batch batch_;
  std::deque<v1::BatchReply> replies_;
  bool reading_ = true;
  bool finished_ = false;
};

class EchoService final : public v1::Customer::CallbackService {
 public:
  grpc::ServerUnaryReactor* MsgDelivery(grpc::CallbackServerContext* context,
                                        const v1::Request* request, v1::Reply* reply) override {
    reply->set_success(true);
    reply->set_money(request->money());
    reply->set_position(++calls_);
    reply->set_branch(1);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerBidiReactor<v1::Batch, v1::BatchReply>* Stream(
      grpc::CallbackServerContext*) override {
    return new EchoStream;
  }

  grpc::ServerUnaryReactor* OpenSession(grpc::CallbackServerContext* context,
                                        const v1::OpenSessionRequest*,
                                        v1::OpenSessionReply* reply) override {
    reply->set_session(++calls_);
    reply->set_window(16'384);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  std::atomic<uint64_t> calls_ = 0;
};

int Main(int argc, char** argv) {
  net::PrepareRuntime();
  FlagSet flags("Answers the bank's calls at once: the ceiling that the benchmark compares with.",
                "echo_server");
  std::string listen = "localhost:50050";
  flags.Add("--listen", listen, "host:port");
  if (const auto exit_code = flags.Parse(argc, argv)) return *exit_code;

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  EchoService service;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "echo_server: cannot listen on " << listen << "\n";
    return kExitUnavailable;
  }
  server->GetHealthCheckService()->SetServingStatus("bank.v1.Customer", true);
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return kExitOk;
}

}  // namespace
}  // namespace bank

int main(int argc, char** argv) {
  return bank::RunProgram("echo_server", [&] { return bank::Main(argc, argv); });
}
