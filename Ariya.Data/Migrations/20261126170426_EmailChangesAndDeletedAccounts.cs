using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Ariya.Data.Migrations
{
    /// <inheritdoc />
    public partial class EmailChangesAndDeletedAccounts : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropCheckConstraint(
                name: "ck_accounts_status",
                table: "accounts");

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "deleted_at",
                table: "accounts",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "email_changes",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    auth_epoch = table.Column<int>(type: "integer", nullable: false),
                    old_email = table.Column<string>(type: "text", nullable: false),
                    old_email_canonical = table.Column<string>(type: "text", nullable: false),
                    new_email = table.Column<string>(type: "text", nullable: false),
                    new_email_canonical = table.Column<string>(type: "text", nullable: false),
                    network = table.Column<string>(type: "text", nullable: false),
                    user_agent = table.Column<string>(type: "text", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    confirmed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    undone_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_email_changes", x => x.id);
                    table.ForeignKey(
                        name: "fk_email_changes_accounts_account_id",
                        column: x => x.account_id,
                        principalTable: "accounts",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_accounts_deleted_at",
                table: "accounts",
                column: "deleted_at",
                filter: "deleted_at is not null");

            migrationBuilder.AddCheckConstraint(
                name: "ck_accounts_status",
                table: "accounts",
                sql: "status in ('active', 'disabled', 'deleted')");

            migrationBuilder.CreateIndex(
                name: "ix_email_changes_account_id",
                table: "email_changes",
                column: "account_id");

            migrationBuilder.CreateIndex(
                name: "ix_email_changes_expires_at",
                table: "email_changes",
                column: "expires_at");

            migrationBuilder.CreateIndex(
                name: "ix_email_changes_new_email_canonical_created_at",
                table: "email_changes",
                columns: new[] { "new_email_canonical", "created_at" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "email_changes");

            migrationBuilder.DropIndex(
                name: "ix_accounts_deleted_at",
                table: "accounts");

            migrationBuilder.DropCheckConstraint(
                name: "ck_accounts_status",
                table: "accounts");

            migrationBuilder.DropColumn(
                name: "deleted_at",
                table: "accounts");

            migrationBuilder.AddCheckConstraint(
                name: "ck_accounts_status",
                table: "accounts",
                sql: "status in ('active', 'disabled')");
        }
    }
}
