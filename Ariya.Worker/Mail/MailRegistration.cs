using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Mail.AccountDeleted;
using Ariya.Worker.Mail.AccountDisabled;
using Ariya.Worker.Mail.AdminGranted;
using Ariya.Worker.Mail.EmailChange;
using Ariya.Worker.Mail.NewSignIn;
using Ariya.Worker.Mail.OldSignInUsed;
using Ariya.Worker.Mail.PasswordChanged;
using Ariya.Worker.Mail.PasswordReset;
using Ariya.Worker.Mail.Registration;
using Ariya.Worker.Mail.Smtp;
using Ariya.Worker.Mail.Welcome;
#if USE_MAILKIT
using RelayConnection = Ariya.Worker.Mail.MailKit.MailKitTransport;
#else
using RelayConnection = Ariya.Worker.Mail.Smtp.SmtpTransport;
#endif

namespace Ariya.Worker.Mail;

internal static class MailRegistration
{
    /// <summary>The mails and the way to the relay. Without a relay they are printed in Development, and elsewhere that is a wrong setting.</summary>
    public static void AddMail(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<MailPreparation>();
        builder.Services.AddSingleton<MailKind, RegistrationMail>();
        builder.Services.AddSingleton<MailKind, WelcomeMail>();
        builder.Services.AddSingleton<MailKind, PasswordResetMail>();
        builder.Services.AddSingleton<MailKind, PasswordChangedMail>();
        builder.Services.AddSingleton<MailKind, NewSignInMail>();
        builder.Services.AddSingleton<MailKind, OldSignInUsedMail>();
        builder.Services.AddSingleton<MailKind, EmailChangeMail>();
        builder.Services.AddSingleton<MailKind, EmailChangedMail>();
        builder.Services.AddSingleton<MailKind, AccountDeletedMail>();
        builder.Services.AddSingleton<MailKind, AccountDisabledMail>();
        builder.Services.AddSingleton<MailKind, AdminGrantedMail>();
        if (builder.ReadSetting(() => SmtpSettings.Read(builder.Configuration)
            ?? (builder.Environment.IsDevelopment() ? null : throw new InvalidOperationException("SMTP_HOST is not set: outside Development the worker needs a relay."))) is { } settings)
        {
            builder.AddRelay(settings);
        }
        else
        {
            builder.Services.AddSingleton<Func<IMailTransport>>(() => new ConsoleTransport(TextWriter.Synchronized(Console.Out)));
        }
    }

    /// <summary>Connections to the relay alone, without the mails.</summary>
    public static void AddRelay(this IHostApplicationBuilder builder, SmtpSettings settings) =>
        builder.Services.AddSingleton<Func<IMailTransport>>(services => () => new RelayConnection(settings, services.GetRequiredService<TimeProvider>()));
}
