// FakeOperatedBranch: a branch as an operator's tool meets it: a server of its own on a free port
// that answers what the test has put in, and remembers what it was asked.
#pragma once

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bank/v1/admin.grpc.pb.h"
#include "bank/v1/customer.grpc.pb.h"
#include "bank/v1/monitor.grpc.pb.h"

namespace bank::testing {

class FakeOperatedBranch {
 public:
  // How a call ends, by its name; OK if it is not there. Set before the call.
  std::map<std::string, grpc::Status> ends;
  v1::BranchStatus status;
  std::vector<v1::MetricUpdate> updates;
  std::vector<v1::Event> events;
  std::vector<v1::AuditRecord> audits;
  std::vector<v1::CommandUpdate> command_updates;
  // Of Status: after so many answers position and applied index go up by one; 0: never.
  int moves_after = 0;

  explicit FakeOperatedBranch(uint32_t id) {
    status.set_branch(id);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&admin_);
    builder.RegisterService(&customer_);
    builder.RegisterService(&monitor_);
    server_ = builder.BuildAndStart();
  }
  ~FakeOperatedBranch() { Stop(); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void SetServing(const std::string& service, bool serving) {
    server_->GetHealthCheckService()->SetServingStatus(service, serving);
  }
  void Stop() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  void AddMember(uint32_t branch, const std::string& address, bool voter) {
    v1::Member* member = status.add_members();
    member->set_branch(branch);
    member->set_address(address);
    member->set_voter(voter);
  }

  // What came, by the call's name, as text.
  std::vector<std::string> Asked(const std::string& call) const {
    std::lock_guard lock(mutex_);
    const auto found = asked_.find(call);
    return found == asked_.end() ? std::vector<std::string>() : found->second;
  }

 private:
  grpc::Status Note(const std::string& call, const google::protobuf::Message& request) {
    std::lock_guard lock(mutex_);
    asked_[call].push_back(request.ShortDebugString());
    const auto end = ends.find(call);
    return end == ends.end() ? grpc::Status::OK : end->second;
  }
  template <class Message>
  grpc::Status WriteAll(const std::string& call, const google::protobuf::Message& request,
                        const std::vector<Message>& messages, grpc::ServerWriter<Message>* writer) {
    const grpc::Status end = Note(call, request);
    for (const Message& message : messages) writer->Write(message);
    return end;
  }

  struct Admin final : v1::Admin::Service {
    explicit Admin(FakeOperatedBranch& b) : branch(b) {}
    grpc::Status Status(grpc::ServerContext*, const v1::StatusRequest* request,
                        v1::BranchStatus* reply) override {
      const grpc::Status end = branch.Note("Status", *request);
      std::lock_guard lock(branch.mutex_);
      *reply = branch.status;
      if (branch.moves_after != 0 && --branch.moves_after == 0) {
        branch.status.set_applied_index(branch.status.applied_index() + 1);
      }
      return end;
    }
    grpc::Status TakeSnapshot(grpc::ServerContext*, const v1::TakeSnapshotRequest* request,
                              v1::TakeSnapshotReply* reply) override {
      reply->set_snapshot_index(branch.status.snapshot_index());
      return branch.Note("TakeSnapshot", *request);
    }
    grpc::Status TransferLeadership(grpc::ServerContext*,
                                    const v1::TransferLeadershipRequest* request,
                                    v1::TransferLeadershipReply*) override {
      return branch.Note("TransferLeadership", *request);
    }
    FakeOperatedBranch& branch;
  };
  struct Customer final : v1::Customer::Service {
    explicit Customer(FakeOperatedBranch& b) : branch(b) {}
    grpc::Status MsgDelivery(grpc::ServerContext*, const v1::Request* request,
                             v1::Reply*) override {
      return branch.Note("MsgDelivery", *request);
    }
    FakeOperatedBranch& branch;
  };
  struct Monitor final : v1::Monitor::Service {
    explicit Monitor(FakeOperatedBranch& b) : branch(b) {}
    grpc::Status StreamMetrics(grpc::ServerContext*, const v1::StreamMetricsRequest* request,
                               grpc::ServerWriter<v1::MetricUpdate>* writer) override {
      return branch.WriteAll("StreamMetrics", *request, branch.updates, writer);
    }
    grpc::Status StreamEvents(grpc::ServerContext*, const v1::StreamEventsRequest* request,
                              grpc::ServerWriter<v1::Event>* writer) override {
      return branch.WriteAll("StreamEvents", *request, branch.events, writer);
    }
    grpc::Status RunCommand(grpc::ServerContext*, const v1::RunCommandRequest* request,
                            grpc::ServerWriter<v1::CommandUpdate>* writer) override {
      return branch.WriteAll("RunCommand", *request, branch.command_updates, writer);
    }
    grpc::Status ListAudit(grpc::ServerContext*, const v1::ListAuditRequest* request,
                           grpc::ServerWriter<v1::AuditRecord>* writer) override {
      return branch.WriteAll("ListAudit", *request, branch.audits, writer);
    }
    FakeOperatedBranch& branch;
  };

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> asked_;
  Admin admin_{*this};
  Customer customer_{*this};
  Monitor monitor_{*this};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bank::testing
