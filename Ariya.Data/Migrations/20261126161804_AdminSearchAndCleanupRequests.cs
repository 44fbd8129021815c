using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Ariya.Data.Migrations
{
    /// <inheritdoc />
    public partial class AdminSearchAndCleanupRequests : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "removed_by_steps",
                table: "scheduled_runs",
                type: "jsonb",
                nullable: false,
                defaultValueSql: "'{}'");

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "requested_at",
                table: "scheduled_runs",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "ix_outbox_messages_stranded",
                table: "outbox_messages",
                column: "id",
                filter: "state in ('dead', 'expired', 'held')");

            migrationBuilder.CreateIndex(
                name: "ix_audit_events_kind_at_id",
                table: "audit_events",
                columns: new[] { "kind", "at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_accounts_email_prefix",
                table: "accounts",
                column: "email_canonical")
                .Annotation("Relational:Collation", new[] { "C" });

            migrationBuilder.CreateIndex(
                name: "ix_accounts_not_active",
                table: "accounts",
                column: "id",
                filter: "status <> 'active'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_outbox_messages_stranded",
                table: "outbox_messages");

            migrationBuilder.DropIndex(
                name: "ix_audit_events_kind_at_id",
                table: "audit_events");

            migrationBuilder.DropIndex(
                name: "ix_accounts_email_prefix",
                table: "accounts");

            migrationBuilder.DropIndex(
                name: "ix_accounts_not_active",
                table: "accounts");

            migrationBuilder.DropColumn(
                name: "removed_by_steps",
                table: "scheduled_runs");

            migrationBuilder.DropColumn(
                name: "requested_at",
                table: "scheduled_runs");
        }
    }
}
