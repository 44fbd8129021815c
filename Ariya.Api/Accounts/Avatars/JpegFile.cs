using System.Buffers;
using System.Buffers.Binary;

namespace Ariya.Api.Accounts.Avatars;

/// <summary>
/// JPEG (ITU-T T.81 annex B): markers with segments, and entropy-coded data after each SOS. Frame, tables and scans are kept. Of the
/// APPn segments the orientation, and what tells the colours (whether there was a JFIF one, Adobe's transform), are written anew.
/// </summary>
internal sealed class JpegFile
{
    // Each scan of a progressive picture costs a pass over all of it; encoders write about ten.
    private const int MaxScans = 100;

    private const byte Sof0 = 0xC0;
    private const byte Sof1 = 0xC1;
    private const byte Sof2 = 0xC2;
    private const byte Dht = 0xC4;
    private const byte Jpg = 0xC8;
    private const byte Dac = 0xCC;
    private const byte Sof15 = 0xCF;
    private const byte Rst0 = 0xD0;
    private const byte Rst7 = 0xD7;
    private const byte Soi = 0xD8;
    private const byte Eoi = 0xD9;
    private const byte Sos = 0xDA;
    private const byte Dqt = 0xDB;
    private const byte Dri = 0xDD;
    private const byte App0 = 0xE0;
    private const byte App1 = 0xE1;
    private const byte App14 = 0xEE;
    private const byte App15 = 0xEF;
    private const byte Com = 0xFE;

    private readonly ArrayBufferWriter<byte> _kept;
    private ushort _width;
    private ushort _height;
    private byte[] _componentIds = [];
    private bool _isProgressive;
    private int _scans;
    private bool _hasJfif;
    private byte? _adobeTransform;
    private int _orientation;

    private JpegFile(int length) => _kept = new ArrayBufferWriter<byte>(length);

    public static bool Is(ReadOnlySpan<byte> file) => file is [0xFF, Soi, 0xFF, ..];

    public static Picture? Read(ReadOnlySpan<byte> file, out string reason)
    {
        reason = Picture.Damaged;
        var jpeg = new JpegFile(file.Length);
        var left = file[2..];
        while (TryTakeMarker(ref left, out var marker))
        {
            if (marker == Eoi)
            {
                reason = jpeg._scans > 0 ? "" : reason;
                return jpeg._scans > 0 ? new Picture("image/jpeg", jpeg._width, jpeg._height, jpeg.Write()) : null;
            }

            if (!TryTakeSegment(ref left, out var segment))
            {
                return null;
            }

            if (jpeg.FaultOf(marker, segment) is { } fault)
            {
                reason = fault;
                return null;
            }

            if (marker is not (>= App0 and <= App15 or Com))
            {
                jpeg._kept.Write<byte>([0xFF, marker, (byte)((segment.Length + 2) >> 8), (byte)(segment.Length + 2)]);
                jpeg._kept.Write(segment);
            }

            if (marker == Sos)
            {
                var length = LengthOfCodedData(left);
                jpeg._kept.Write(left[..length]);
                left = left[length..];
            }
        }

        return null;
    }

    private string? FaultOf(byte marker, ReadOnlySpan<byte> segment)
    {
        switch (marker)
        {
            case Sof0 or Sof1 or Sof2:
                _isProgressive = marker == Sof2;
                return IsFrame(segment) ? Picture.FaultOfSize(_width, _height) : Picture.Damaged;
            case Sos:
                return ++_scans <= MaxScans && IsScan(segment) ? null : Picture.Damaged;
            case Dht:
                return AreHuffmanTables(segment) ? null : Picture.Damaged;
            case Dqt:
                return AreQuantizationTables(segment) ? null : Picture.Damaged;
            case Dri:
                return segment.Length == 2 ? null : Picture.Damaged;
            case > Sof2 and <= Sof15 and not (Jpg or Dac):
                return Picture.WrongJpeg;
            case >= App0 and <= App15 or Com:
                Note(marker, segment);
                return null;
            default:
                // DAC belongs to arithmetic coding, DNL to a height of 0, the rest to hierarchical pictures or to nothing.
                return Picture.Damaged;
        }
    }

    // After the first scan a reader has decided already.
    private void Note(byte marker, ReadOnlySpan<byte> segment)
    {
        if (_scans > 0)
        {
            return;
        }

        // ITU-T T.871.
        _hasJfif |= marker == App0 && segment.Length >= 14 && segment.StartsWith("JFIF\0"u8);
        // ITU-T T.872. The last one counts.
        if (marker == App14 && segment.StartsWith("Adobe"u8) && segment.Length >= 12 && segment[11] <= 2)
        {
            _adobeTransform = segment[11];
        }

        if (marker == App1 && _orientation == 0 && segment.StartsWith("Exif\0\0"u8))
        {
            _orientation = OrientationOf(segment[6..]);
        }
    }

    // Section B.2.2, with 8 bits a sample: browsers show nothing else.
    private bool IsFrame(ReadOnlySpan<byte> segment)
    {
        if (_componentIds.Length > 0 || segment.Length < 6 || segment[0] != 8 || segment[5] is not (1 or 3 or 4)
            || segment.Length != 6 + (3 * segment[5]))
        {
            return false;
        }

        _height = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]);
        _width = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
        _componentIds = new byte[segment[5]];
        for (var component = 0; component < _componentIds.Length; component++)
        {
            var fields = segment.Slice(6 + (3 * component), 3);
            var isSane = (Horizontal: fields[1] >> 4, Vertical: fields[1] & 15, Table: fields[2]) is ( >= 1 and <= 4, >= 1 and <= 4, <= 3);
            if (!isSane || _componentIds.AsSpan(0, component).Contains(fields[0]))
            {
                return false;
            }

            _componentIds[component] = fields[0];
        }

        return true;
    }

    // Section B.2.3, and for progressive pictures G.1.1.1. Sequential ones have one legal value there, and readers ignore others.
    private bool IsScan(ReadOnlySpan<byte> segment)
    {
        if (segment.IsEmpty || segment[0] is 0 or > 4 || segment.Length != 4 + (2 * segment[0]))
        {
            return false;
        }

        var last = -1;
        for (var at = 1; at <= 2 * segment[0]; at += 2)
        {
            // In the order of the frame.
            var component = _componentIds.AsSpan().IndexOf(segment[at]);
            if (component <= last || segment[at + 1] >> 4 > 3 || (segment[at + 1] & 15) > 3)
            {
                return false;
            }

            last = component;
        }

        var (start, end, high, low) = (segment[^3], segment[^2], segment[^1] >> 4, segment[^1] & 15);
        return !_isProgressive
            || ((start == 0 ? end == 0 : start <= end && end <= 63 && segment[0] == 1) && low <= 13 && (high == 0 || high == low + 1));
    }

    // Section B.2.4.2: class and place, how many codes of each length, their symbols.
    private static bool AreHuffmanTables(ReadOnlySpan<byte> left)
    {
        while (left.Length >= 17 && left[0] >> 4 <= 1 && (left[0] & 15) <= 3)
        {
            var symbols = 0;
            foreach (var count in left[1..17])
            {
                symbols += count;
            }

            if (symbols > 256 || symbols > left.Length - 17)
            {
                return false;
            }

            left = left[(17 + symbols)..];
        }

        return left.IsEmpty;
    }

    // Section B.2.4.1: precision and place, 64 values.
    private static bool AreQuantizationTables(ReadOnlySpan<byte> left)
    {
        while (!left.IsEmpty && left[0] >> 4 <= 1 && (left[0] & 15) <= 3)
        {
            var length = 1 + (64 * (1 + (left[0] >> 4)));
            if (left.Length < length)
            {
                return false;
            }

            left = left[length..];
        }

        return left.IsEmpty;
    }

    // TIFF 6.0 section 2, CIPA DC-008 (Exif): 1 to 8; 0 when it is not there.
    private static int OrientationOf(ReadOnlySpan<byte> tiff)
    {
        var isLittle = tiff.StartsWith("II*\0"u8);
        if (tiff.Length < 8 || (!isLittle && !tiff.StartsWith("MM\0*"u8)))
        {
            return 0;
        }

        var directory = isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (directory < 8 || directory > (uint)tiff.Length - 2)
        {
            return 0;
        }

        var left = tiff[(int)directory..];
        var entries = Short(left);
        left = left[2..];
        for (; entries > 0 && left.Length >= 12; entries--, left = left[12..])
        {
            // Tag, type and count: one SHORT.
            if (Short(left) == 0x0112)
            {
                var isShort = Short(left[2..]) == 3 && (isLittle ? left[4..8] is [1, 0, 0, 0] : left[4..8] is [0, 0, 0, 1]);
                return isShort && Short(left[8..]) is >= 1 and <= 8 and var orientation ? orientation : 0;
            }
        }

        return 0;

        ushort Short(ReadOnlySpan<byte> at) =>
            isLittle ? BinaryPrimitives.ReadUInt16LittleEndian(at) : BinaryPrimitives.ReadUInt16BigEndian(at);
    }

    private byte[] Write()
    {
        var file = new ArrayBufferWriter<byte>(_kept.WrittenCount + 128);
        file.Write<byte>([0xFF, Soi]);
        if (_orientation > 1)
        {
            // A directory at 8 with one entry and no next one; the entry: tag, SHORT, one of it, value.
            file.Write<byte>([
                0xFF, App1, 0, 34, .. "Exif\0\0"u8, .. "MM\0*"u8, 0, 0, 0, 8, 0, 1,
                0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)_orientation, 0, 0, 0, 0, 0, 0]);
        }

        // It outranks Adobe's and the names of the components (libjpeg), so without it colours may change. No density, no thumbnail.
        if (_hasJfif)
        {
            file.Write<byte>([0xFF, App0, 0, 16, .. "JFIF\0"u8, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
        }

        if (_adobeTransform is { } transform)
        {
            file.Write<byte>([0xFF, App14, 0, 14, .. "Adobe"u8, 0, 100, 0, 0, 0, 0, transform]);
        }

        file.Write(_kept.WrittenSpan);
        file.Write<byte>([0xFF, Eoi]);
        return file.WrittenSpan.ToArray();
    }

    // Section B.1.1.2: any number of 0xFF may fill the space before a marker.
    private static bool TryTakeMarker(scoped ref ReadOnlySpan<byte> left, out byte marker)
    {
        var start = left.IndexOfAnyExcept((byte)0xFF);
        marker = start > 0 ? left[start] : default;
        left = start > 0 ? left[(start + 1)..] : [];
        return start > 0;
    }

    private static bool TryTakeSegment(scoped ref ReadOnlySpan<byte> left, out ReadOnlySpan<byte> segment)
    {
        segment = default;
        if (left.Length < 2 || BinaryPrimitives.ReadUInt16BigEndian(left) is var length && (length < 2 || length > left.Length))
        {
            return false;
        }

        segment = left[2..length];
        left = left[length..];
        return true;
    }

    // Up to the first marker that is neither a restart nor a stuffed 0xFF (section B.1.1.5).
    private static int LengthOfCodedData(ReadOnlySpan<byte> data)
    {
        var at = 0;
        while (data[at..].IndexOf((byte)0xFF) is >= 0 and var skipped)
        {
            var start = at + skipped;
            var fill = data[start..].IndexOfAnyExcept((byte)0xFF);
            if (fill < 0 || data[start + fill] is not (0 or >= Rst0 and <= Rst7))
            {
                return start;
            }

            at = start + fill + 1;
        }

        return data.Length;
    }
}
